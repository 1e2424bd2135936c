guard "freeze" {
  condition     = !contains(["saturday", "sunday"], weekday(now))
  error_message = "It is ${weekday(now)}."
  severity      = "overridable"
}
