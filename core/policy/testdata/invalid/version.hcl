rollback {
  required_version = ">= 99" # ERROR: Unsupported version of rollback: This is rollback 0.1.0, but the policy asks for >= 99
  new_in_99        = true
}
