rollback {
  environment = "prod" # ERROR: Unknown environment: The policy has no environments
}
