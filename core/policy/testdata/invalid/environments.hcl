rollback {
  to       = "01.06.2019" # ERROR: Invalid point in time: names no point
  timezone = "berlin" # ERROR: Unknown time zone: Did you mean "Europe/Berlin"?
}
environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}
environment "production" { # ERROR: Duplicate scope: The environments "prod" (environments.hcl:5) and "production"
  scope = "/ds/prod/"
}
environment "all" { # WARNING: Overlapping scopes: scope "/ds/prod" of environment "prod" # WARNING: Overlapping scopes: "production"
  scope = "ds"
}
environment "master" { # WARNING: Ambiguous environment name
  branch = "main"
}
environment "-x" { # ERROR: Invalid name: cannot be the name of an environment
  branch = ""  # ERROR: Empty value: leave it out for its default
}
