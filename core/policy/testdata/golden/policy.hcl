# Ten mistakes, and what an editor or a CI job is told about them.
variable "branch" {
  type = string
}

variable "days" {
  default = 30
}

variable "token" {
  sensitive = true
  default   = env("TOKEN")
}

rollback {
  environment = var.branch
  timezone    = "Europe/Berln"
}

environment "prod" {
  branche = "master"
}

repo "backend-a" {
  depends_on = ["backend-a", "fronted"]
}

repo "frontend" {
  gap_fill {
    rule    = "nearest_earlyer"
    max_age = "${var.days}d"
  }
}

repo "frontend" {}

tag {
  pattern = "^(?P<number>\\d+)-(?P<branch>.+)$"
}

retention {
  count = parseint(var.token, 10)
}

aply {}

guard "small" {
  condition = alltrue([
    for change in plan.changes :
    change.aktion == "rollback"
  ])
  error_message = "Too many."
}
