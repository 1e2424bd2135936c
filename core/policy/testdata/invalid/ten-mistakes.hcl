rollback {
  environment = "produ" # ERROR: Unknown environment: Did you mean "prod"? It must be "prod".
  timezone    = "Europe/Berln" # ERROR: Unknown time zone: Did you mean "Europe/Berlin"?
}

environment "prod" {
  branche = "master" # ERROR: Unsupported argument: An argument named "branche" is not expected here. Did you mean "branch"?
}

repo "backend-a" {
  depends_on = ["fronted"] # ERROR: Unknown repo: Did you mean "frontend"?
}

repo "frontend" {
  retention {
    count = 0 # ERROR: Number out of range: must be a whole number from 1 to 1000000, not 0
  }
}

repo "frontend" {} # ERROR: Duplicate name: There is a repo "frontend" already at ten-mistakes.hcl:14.

tag {
  pattern = "^(?P<number>\\d+)-(?P<branch>.+)$" # ERROR: Invalid tag pattern: there is no group (?P<build>…)
}

gap_fill {
  rule    = "nearest_earlyer" # ERROR: Invalid value: Did you mean "nearest_earlier"?
  max_age = "30d" # ERROR: Invalid duration: write "720h"
}

aply {} # ERROR: Unsupported block type: Did you mean "apply"?

guard "small" {
  condition     = length(plan.chnges) < 5 # ERROR: Unsupported attribute: Did you mean "changes"?
  error_message = "Too many."
}
