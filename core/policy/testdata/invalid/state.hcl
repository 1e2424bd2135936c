variable "database" {
  sensitive = true
  default   = "mysql://rollback:hunter2@db/rollback"
}
state "postgres" {
  url       = var.database # ERROR: Invalid URL: such as "postgres://rollback@db.example.com
  path      = "x" # ERROR: Unsupported argument: "path" is not expected
  snapshots = "plain" # ERROR: Invalid value: It must be "sealed" or "omitted"
  keep      = "1d" # ERROR: Invalid duration: write "24h"
}
apply {
  max_parallel  = 4 # ERROR: Unsuitable strategy: it needs strategy = "waves"
  total_timeout = "0s" # ERROR: Invalid duration: longer than nothing
}
