# On some days, and at some hours of some weekdays, nothing is rolled back without a reason given.
#
#   include = ["builtin:freeze-window"]
#   variable "freeze" { default = { timezone = "Europe/Berlin", from_hour = 17, to_hour = 24 } }
#
# --override 'freeze-window=REASON' lets those pass who are handling an incident.

variable "freeze" {
  description = "When nothing is rolled back: on weekdays between two hours, and on whole days."
  type = object({
    # A name of the IANA database.
    timezone = optional(string, "UTC")
    # On these days ("monday" to "sunday") from from_hour until before to_hour.
    weekdays  = optional(list(string), ["friday", "saturday", "sunday"])
    from_hour = optional(number, 0)
    to_hour   = optional(number, 24)
    # On these days ("2026-12-24") from midnight to midnight.
    dates = optional(list(string), [])
  })
  default = {}

  validation {
    condition = alltrue([for day in var.freeze.weekdays : contains(
      ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], day
    )])
    error_message = "freeze.weekdays are the words \"monday\" to \"sunday\", in lower case."
  }

  validation {
    condition     = 0 <= var.freeze.from_hour && var.freeze.from_hour < var.freeze.to_hour && var.freeze.to_hour <= 24
    error_message = "freeze.from_hour must come before freeze.to_hour, and both lie between 0 and 24."
  }

  validation {
    condition     = alltrue([for day in var.freeze.dates : can(regex("^\\d{4}-\\d{2}-\\d{2}$", day))])
    error_message = "freeze.dates are days such as \"2026-12-24\"."
  }

  validation {
    condition     = can(hour("2019-06-01T00:00:00Z", var.freeze.timezone))
    error_message = "freeze.timezone is not in the IANA database; write a name such as \"Europe/Berlin\"."
  }
}

guard "freeze-window" {
  condition = !contains(var.freeze.dates, date(now, var.freeze.timezone)) && !(
    contains(var.freeze.weekdays, weekday(now, var.freeze.timezone)) &&
    hour(now, var.freeze.timezone) >= var.freeze.from_hour &&
    hour(now, var.freeze.timezone) < var.freeze.to_hour
  )
  error_message = "It is ${title(weekday(now, var.freeze.timezone))} ${date(now, var.freeze.timezone)}, ${hour(now, var.freeze.timezone)} h ${var.freeze.timezone}: changes are frozen. In an incident, give --override 'freeze-window=REASON'."
  severity      = "overridable"
}
