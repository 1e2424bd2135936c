# Services that cannot all be treated alike: rules of a repo win over those of the policy.

variable "registry_address" {
  type    = string
  default = env("REGISTRY_ADDRESS", "127.0.0.1:5000")
}

variable "marathon_url" {
  type    = string
  default = env("MARATHON_URL", "http://127.0.0.1:8080")
}

registry "docker" {
  address = var.registry_address
}

orchestrator "marathon" {
  url = var.marathon_url
}

environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}

gap_fill {
  rule    = "nearest_earlier"
  max_age = "2160h" # 90 days
}

repo "backend-a" {}

# Its schema migrations cannot be undone: unless it was released that day, it stays as it is.
repo "backend-b" {
  gap_fill {
    rule = "keep"
  }
}

# Released seldom: looks further back, at more releases, and only warns when there is none.
repo "backend-c" {
  retention {
    count  = 30
    margin = 0
  }
  gap_fill {
    max_age    = "8760h"
    on_missing = "warn"
  }
}

# Found by the name of its app, and built reproducibly: its images carry no date of their own making.
repo "frontend" {
  depends_on = ["backend-a", "backend-b", "backend-c"]
  match      = "id"
  release {
    date_from = ["label", "annotation", "config"]
  }
}

guard "a schema floor" {
  condition = alltrue([
    for change in plan.changes : try(tonumber(change.to.labels["schema"]), 0) <= try(tonumber(change.from.labels["schema"]), 0)
    if change.action == "rollback"
  ])
  error_message = "An image would meet an older schema than it was built for."
  severity      = "overridable"
}
