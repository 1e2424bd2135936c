# At most so many apps change in one rollback.
#
#   include = ["builtin:max-changes"]
#   variable "max_changes" { default = 5 }

variable "max_changes" {
  type        = number
  description = "How many apps one rollback may change."
  default     = 20

  validation {
    condition     = var.max_changes >= 1
    error_message = "max_changes must be at least 1."
  }
}

guard "max-changes" {
  condition     = plan.summary.rollback + plan.summary.forward <= var.max_changes
  error_message = "${plan.summary.rollback + plan.summary.forward} apps would change, more than the ${var.max_changes} of max_changes: split the rollback with --only."
  severity      = "overridable"
}
