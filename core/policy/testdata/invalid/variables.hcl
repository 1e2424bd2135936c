variable "needed" { # ERROR: No value for required variable: ROLLBACK_VAR_needed
  type = string
}
variable "typed" {
  type    = strng # ERROR: Invalid type specification
  default = 1
}
variable "number" {
  type    = number
  default = "ten" # ERROR: Invalid default value for variable: does not fit its type number
}
variable "refers" {
  default = var.number # ERROR: Variables not allowed
}
variable "some thing" {} # ERROR: Invalid variable name
variable "twice" { default = 1 }
variable "twice" { default = 2 } # ERROR: Duplicate name: There is a variable "twice" already at variables.hcl:16
variable "checked" { # ERROR: Invalid value for variable: At most five, not 7.
  default = 7
  validation {
    condition     = var.checked <= 5
    error_message = "At most five, not ${var.checked}."
  }
}
variable "no_verdict" {
  default = 7
  validation {
    condition     = "perhaps" # ERROR: Invalid variable validation result: The condition is a string
    error_message = "x"
  }
  validation {
    condition     = null # ERROR: Invalid variable validation result: is null
    error_message = "x"
  }
  validation { # ERROR: Missing required argument: "error_message"
    condition = true
  }
}
variable "not_null" {
  nullable = false
  default  = env("NOT_SET") # ERROR: Invalid default value for variable: nullable = false
}
variable "odd" {
  default     = 1
  sensitive   = "very" # ERROR: Unsuitable value type: "sensitive" must be a bool
  description = null # ERROR: Unsuitable value type: "description" must be a string
  defualt     = 2 # ERROR: Unsupported argument: "defualt"
}
locals {
  a        = local.b # ERROR: Cycle in locals: local.a → local.b → local.a
  b        = [local.a]
  c        = local.dd # ERROR: Reference to undeclared local: Did you mean "d"?
  d        = upper(1, 2) # ERROR: Too many function arguments
  e        = uper("x") # ERROR: Call to unknown function: Did you mean "upper"?
  ok       = try(local.missing, "fallback")
  from_bad = local.c
}
locals {
  b = 1 # ERROR: Duplicate name: There is a local "b" already at
}
state "local" {
  path = var.numbr # ERROR: Reference to undeclared variable: Did you mean "number"?
}
retention {
  count  = local.from_bad
  margin = loal.ok # ERROR: Unknown variable: Did you mean "local"?
}
