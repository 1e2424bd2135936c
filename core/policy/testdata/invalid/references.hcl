locals {
  a       = keys(local) # ERROR: Invalid reference: local.NAME
  b       = var["x"] # ERROR: Reference to undeclared variable: variable "x" {}
  c       = local["later"]
  d       = local[0] # ERROR: Invalid reference
  later   = "x"
  e       = { for k, v in var : k => v } # ERROR: Invalid reference
  longest = "abc${local.c + 1}" # ERROR: Invalid operand
}
