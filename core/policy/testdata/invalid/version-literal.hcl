rollback {
  required_version = var.version # ERROR: Invalid version constraint: must be a literal
}
