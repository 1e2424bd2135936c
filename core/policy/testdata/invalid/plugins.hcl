plugin "notifier" "pager" { # ERROR: Invalid kind of plugin: It must be "registry", "orchestrator" or "notify". # ERROR: Missing required argument: "path"
}
plugin "notify" "../pager" { # ERROR: Invalid name: cannot be the name of a plugin
  path   = "x"
  sha256 = "abc" # ERROR: Invalid checksum: 64 hexadecimal digits; this has 3
}
plugin "notify" "pager" {
  path = "x"
}
plugin "notify" "pager" { # ERROR: Duplicate name
  path = ""   # ERROR: Empty value
}
notify "slack" {
  on = ["started", "success"] # ERROR: Invalid value: "on" has no element "success"
}
registry "Docker Hub" {} # ERROR: Invalid name
