rollback {
  required_version = ">= 0.1"
  environment      = "prod"             # default of --env
  to               = "2019-06-01"       # optional default of --to
  timezone         = "Europe/Berlin"
}

variable "slack_webhook" {              # also locals {}, as in Terraform
  type      = string
  sensitive = true
  default   = env("SLACK_CALLBACK")     # functions: env, file, and go-cty's standard library
}

registry "docker" {                     # label = plugin; the body's schema is the plugin's own
  address = "registry.example.com:5000"
}
orchestrator "marathon" {
  url = "https://dcos.example.com/service/marathon"
}
notify "slack" {
  webhook_url = var.slack_webhook
  on          = ["started", "succeeded", "failed", "restored"]
}
plugin "notify" "pager" {               # a plugin of one's own
  path   = "./bin/rollback-notify-pager"
  sha256 = "abababababababababababababababababababababababababababababababab" # or recorded in .rollback.lock.hcl
}

environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}
environment "stage" {
  branch = "stage"
  scope  = "/ds/stage"
}

repo "backend-a" {}
repo "frontend" {
  depends_on = ["backend-a"]            # order of waves
  gap_fill { rule = "keep" }
}

tag       { pattern = "^(?P<build>\\d+)-(?P<branch>.+)$" }
release   { date_from = ["annotation", "label", "config", "tag"] }
retention { count = 10 }
points    { by = "day" }
gap_fill {
  rule    = "nearest_earlier"
  max_age = "720h"
}
apply {
  strategy      = "together"            # one deployment for all, or "waves" (by depends_on)
  timeout       = "15m"
  on_failure    = "restore"             # or "stop"
  allow_forward = false
}
guard "not too many" {
  condition     = length(plan.changes) <= 20
  error_message = "More than 20 apps would change: split the rollback."
  severity      = "error"               # or "overridable" (--override 'NAME=reason'), or "warning"
}
include = ["policies/freeze-window.hcl"]
state "local" { path = ".rollback/state.db" }   # default; or state "postgres" { url = var.state_url }
