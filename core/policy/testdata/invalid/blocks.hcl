foo = 1 # ERROR: Unsupported argument: "foo" is not expected
registry "docker" {}
registry "file" {} # ERROR: Duplicate block: one block "registry", and there is one already at blocks.hcl:2
repo {} # ERROR: Missing name for repo
repo "a" "b" {} # ERROR: Extraneous label for repo
retention {
  count  = "many" # ERROR: Unsuitable value type: "count" must be a number
  margin = -1 # ERROR: Number out of range: from 0
}
retention { count = 5 } # ERROR: Duplicate block
points {
  by     = "week" # ERROR: Invalid value: It must be "day" or "release"
  source = "deployment" # ERROR: Invalid value: Did you mean "deployments"?
}
apply {
  strategy      = "wave" # ERROR: Invalid value: Did you mean "waves"?
  timeout       = 15 # ERROR: Invalid duration: The unit is missing.
  on_failure    = "" # ERROR: Invalid value: "restore" or "stop"
  allow_forward = "perhaps" # ERROR: Unsuitable value type: must be a bool
  config        = "as-deployed" # ERROR: Invalid value: Did you mean "as_deployed"?
}
release {
  date_from = ["config", "lable", "config"] # ERROR: Invalid value: Did you mean "label"? # ERROR: Duplicate value: "config" stands in "date_from" twice
  platform  = "amd64" # ERROR: Invalid platform: such as "linux/amd64"
}
state "postgress" {} # ERROR: Unsupported kind of state: Did you mean "postgres"?
after_apply {
  hold       = "always" # ERROR: Invalid value: It must be "none" or "until_released"
  quarantine = "perhaps" # ERROR: Unsuitable value type: must be a bool
}
gap_fill {
  max_age    = "2w" # ERROR: Invalid duration: write "336h"
  on_missing = null
  search     = "everything" # ERROR: Invalid value: "all" or "retained"
}
tag { pattern = "(" } # ERROR: Invalid tag pattern: missing closing )
