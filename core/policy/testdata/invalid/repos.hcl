repo "Backend-A" {} # ERROR: Invalid name: Did you mean "backend-a"?
repo "registry:5000/x" {} # ERROR: Invalid name: cannot be the name of a repository
repo "a" { # ERROR: Cycle in depends_on: a → b → c → a
  depends_on = ["b"]
}
repo "b" {
  depends_on = ["c"]
}
repo "c" {
  depends_on = ["a", "c"] # ERROR: Cycle in depends_on: The repo "c" depends on itself.
  match      = "name" # ERROR: Invalid value: "image" or "id"
  apps       = ["", "/x", "/x"] # ERROR: Empty value # ERROR: Duplicate value
  container  = ["main"] # ERROR: Unsuitable value type: must be a string
  points {} # ERROR: Unsupported block type
  tag {
    pattern = "(?P<build>\\d+)" # ERROR: Invalid tag pattern: no group (?P<branch>…)
  }
  tag {} # ERROR: Duplicate block: already at repos.hcl:15
  gap_fill {
    rule = "ceep" # ERROR: Invalid value: Did you mean "keep"?
  }
}
