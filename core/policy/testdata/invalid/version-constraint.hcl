rollback {
  required_version = "newest" # ERROR: Invalid version constraint: Write one such as ">= 0.1"
}
