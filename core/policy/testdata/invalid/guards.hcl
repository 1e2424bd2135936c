guard "way-back" { # ERROR: Reserved name
  condition     = true
  error_message = "x"
}
guard "a=b" { # ERROR: Invalid name: --override
  condition     = true
  error_message = "x"
}
guard "roots" {
  condition     = length(chagne.app) > 0 # ERROR: Unknown variable
  error_message = "x ${pln.to}" # ERROR: Unknown variable: Did you mean "plan"?
}
guard "change outside" {
  condition     = change.app != "" # ERROR: Unknown variable: "change" is only there inside a for-expression
  error_message = "x"
}
guard "inside for" {
  condition     = alltrue([for c in plan.changes : c.acton == "rollback"]) # ERROR: Unsupported attribute: Did you mean "action"?
  error_message = "x"
}
guard "deep" {
  condition     = alltrue([for c in plan.changes : c.to.create != ""]) # ERROR: Unsupported attribute: Did you mean "created"?
  error_message = "x"
}
guard "type" {
  condition     = plan.changes # ERROR: Unsuitable result of a guard: must be true or false
  error_message = "x"
}
guard "null" {
  condition     = null # ERROR: Unsuitable result of a guard: The condition is null
  error_message = ["x"] # ERROR: Unsuitable value type: error_message must be a string
}
guard "functions" {
  condition     = hours_since(now, now) > 1 # ERROR: Too many function arguments
  error_message = "x"
  severity      = "fatal" # ERROR: Invalid value: "error", "overridable" or "warning"
}
guard "incomplete" { # ERROR: Missing required argument: "error_message" # ERROR: Missing required argument: "condition"
}
guard "operator" {
  condition     = operator.approver != "" # ERROR: Unsupported attribute: "approved_by" or "user"
  error_message = "x"
}
guard "operator" { # ERROR: Duplicate name
  condition     = operator.user != "" && one(plan.changes) != null && plan.changes[3].app != "" && plan.summary.rollback > 0
  error_message = "x"
}
