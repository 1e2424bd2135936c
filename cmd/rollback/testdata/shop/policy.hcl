rollback {
  environment = "prod"
}
registry "file" {
  path = "world.json"
}
orchestrator "file" {
  path = "world.json"
  tick = "10ms"
}
notify "file" {
  path = "events.jsonl"
}
environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}
repo "backend-a" {}
repo "backend-b" {}
repo "frontend" {
  depends_on = ["backend-a"]
}
