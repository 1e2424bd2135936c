# Between two operations on an environment lie this many minutes, so that somebody sees what the first one did.
#
#   include = ["builtin:min-interval"]
#   variable "min_interval_minutes" { default = 15 }
#
# --override 'min-interval=REASON' lets those pass who cannot wait.

variable "min_interval_minutes" {
  type        = number
  description = "How many minutes an environment rests after an operation that changed something."
  default     = 30

  validation {
    condition     = var.min_interval_minutes > 0
    error_message = "min_interval_minutes must be more than 0."
  }
}

guard "min-interval" {
  condition     = last.at == "" ? true : hours_since(last.at) * 60 >= var.min_interval_minutes
  error_message = "The last operation (${last.operation} by ${last.operator} to ${last.to}, ${last.outcome}) was at ${last.at}, and ${plan.environment} rests for ${var.min_interval_minutes} minutes: wait, or give --override 'min-interval=REASON'."
  severity      = "overridable"
}
