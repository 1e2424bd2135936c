# Where values come from: --var name=value, --var-file, the environment variable ROLLBACK_VAR_name, the default.
#
#   rollback plan --var team=payments --var 'services=["backend-a", "frontend"]' --to -1

rollback {
  required_version = ">= 0.1"
  environment      = local.environment
}

variable "registry_address" {
  type    = string
  default = env("REGISTRY_ADDRESS", "127.0.0.1:5000")
}

variable "marathon_url" {
  type    = string
  default = env("MARATHON_URL", "http://127.0.0.1:8080")

  validation {
    condition     = can(regex("^https?://", var.marathon_url))
    error_message = "marathon_url must begin with http:// or https://, unlike \"${var.marathon_url}\"."
  }
}

# Sensitive values are never shown: not in diagnostics, not in plans, not in logs.
variable "slack_webhook" {
  type      = string
  sensitive = true
  nullable  = false
  default   = env("SLACK_CALLBACK", "http://127.0.0.1:8065/services/T000/B000/example")
}

variable "team" {
  type        = string
  description = "The first part of every app's id."
  default     = "ds"
}

variable "environments" {
  type = map(object({
    branch = string
    days   = optional(number, 30)
  }))
  default = {
    prod  = { branch = "master", days = 90 }
    stage = { branch = "stage" }
  }
}

locals {
  # Locals may stand in any order.
  max_age     = "${local.days * 24}h"
  days        = var.environments[local.environment].days
  environment = "prod"
}

registry "docker" {
  address = var.registry_address
}

orchestrator "marathon" {
  url = trimsuffix(var.marathon_url, "/")
}

notify "slack" {
  webhook_url = var.slack_webhook
  on          = ["succeeded", "failed"]
}

environment "prod" {
  branch = var.environments["prod"].branch
  scope  = "/${var.team}/prod"
}

environment "stage" {
  branch = var.environments["stage"].branch
  scope  = "/${var.team}/stage"
}

repo "backend-a" {}
repo "backend-b" {}
repo "backend-c" {}
repo "frontend" {}

gap_fill {
  max_age = local.max_age
}
