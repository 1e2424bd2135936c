# Backends first, then the frontend; whatever fails, everything is put back.

rollback {
  environment = "prod"
  timezone    = "Europe/Berlin"
}

variable "registry_address" {
  type    = string
  default = env("REGISTRY_ADDRESS", "127.0.0.1:5000")
}

variable "marathon_url" {
  type    = string
  default = env("MARATHON_URL", "http://127.0.0.1:8080")
}

variable "slack_webhook" {
  type      = string
  sensitive = true
  default   = env("SLACK_CALLBACK", "http://127.0.0.1:8065/services/T000/B000/example")
}

registry "docker" {
  address = var.registry_address
}

orchestrator "marathon" {
  url = var.marathon_url
}

notify "slack" {
  webhook_url = var.slack_webhook
  on          = ["started", "succeeded", "failed", "restored", "needs_person"]
}

environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}

locals {
  backends = ["backend-a", "backend-b", "backend-c"]
}

repo "backend-a" {}

repo "backend-b" {
  depends_on = ["backend-a"]
}

repo "backend-c" {
  depends_on = ["backend-a"]
}

repo "frontend" {
  depends_on = local.backends
}

apply {
  strategy   = "waves"
  timeout    = "10m"
  on_failure = "restore"
}

# The ready-made guards, set up for this team.
include = ["builtin:max-changes", "builtin:max-age"]

variable "max_changes" {
  default = 8
}

guard "a reason to hurry" {
  condition     = weekday(now) != "friday" || hour(now) < 16
  error_message = "It is Friday afternoon (${formatdate("hh:mm", now)} UTC): is somebody there on the weekend?"
  severity      = "warning"
}
