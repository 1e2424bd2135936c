# The least that a rollback needs: where images are, where apps run, which services belong together.

variable "registry_address" {
  default = env("REGISTRY_ADDRESS", "127.0.0.1:5000")
}

variable "marathon_url" {
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

repo "backend-a" {}
repo "frontend" {}
