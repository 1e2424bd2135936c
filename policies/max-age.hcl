# No image goes back further than this many days, counted from now. An image of unknown age does not pass.
#
#   include = ["builtin:max-age"]
#   variable "max_age_days" { default = 30 }

variable "max_age_days" {
  type        = number
  description = "How old, in days, an image may be that is rolled back to."
  default     = 90

  validation {
    condition     = var.max_age_days > 0
    error_message = "max_age_days must be more than 0."
  }
}

guard "max-age" {
  condition = alltrue([
    for change in plan.changes : try(hours_since(change.to.created) <= var.max_age_days * 24, false)
    if change.action == "rollback"
  ])
  error_message = "Older than ${var.max_age_days} days: ${join(", ", [
    for change in plan.changes : "${change.app} would get ${change.to.tag} of ${try(date(change.to.created), "a day that is not known")}"
    if change.action == "rollback" && !try(hours_since(change.to.created) <= var.max_age_days * 24, false)
  ])}."
  severity = "overridable"
}
