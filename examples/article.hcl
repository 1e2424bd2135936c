# The set-up of the article: three backends and a frontend, images tagged build-branch in a private registry,
# apps on DC/OS named /<department>/<environment>/<project>/<service>, a message to Slack.
#
#   rollback points --env master --format choices
#   rollback apply --env prod --to 2019-06-01

rollback {
  environment = "prod"
}

variable "registry_address" {
  type        = string
  description = "Host and port of the private Docker registry."
  default     = env("REGISTRY_ADDRESS", "127.0.0.1:5000")
}

variable "marathon_url" {
  type        = string
  description = "Base URL of Marathon; on DC/OS it ends in /service/marathon."
  default     = env("MARATHON_URL", "http://127.0.0.1:8080")
}

variable "slack_webhook" {
  type        = string
  description = "Incoming webhook of the channel that is told."
  sensitive   = true
  default     = env("SLACK_CALLBACK", "http://127.0.0.1:8065/services/T000/B000/example")
}

registry "docker" {
  address = var.registry_address
}

orchestrator "marathon" {
  url = var.marathon_url
}

notify "slack" {
  webhook_url = var.slack_webhook
}

# The names differ between registry and Marathon: the branch stands in the tag, the environment in the app's id.
environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}

environment "stage" {
  scope = "/ds/stage"
}

environment "dev" {
  branch = "develop"
  scope  = "/ds/dev"
}

repo "backend-a" {}
repo "backend-b" {}
repo "backend-c" {}
repo "frontend" {}

# <build-number>-<branch>, the ten newest releases of each service, a point for every day.
tag {
  pattern = "^(?P<build>\\d+)-(?P<branch>.+)$"
}

retention {
  count = 10
}

points {
  by = "day"
}

# "The next version before the rollback date": a service that was not released that day goes back all the same.
gap_fill {
  rule = "nearest_earlier"
}
