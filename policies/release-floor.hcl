# No repo goes back below a build from which on its data has another shape.
#
#   include = ["builtin:release-floor"]
#   variable "release_floors" { default = { backend-a = "42" } }
#
# An image says the same of itself with the label rollback.floor=42: as long as it runs, its repo does not go below
# build 42. The higher floor counts. Where data would be lost no reason helps, so it cannot be overridden: whoever has
# undone the migration lowers the floor in the policy.

variable "release_floors" {
  type        = map(string)
  description = "By repo, the lowest build that can work with the data of today."
  default     = {}

  validation {
    condition     = alltrue([for repo, build in var.release_floors : can(regex("^[[:word:].-]*[0-9][[:word:].-]*$", build))])
    error_message = "release_floors are builds such as \"42\", by repo."
  }
}

guard "release-floor" {
  condition = alltrue(flatten([
    for change in plan.changes : [
      for floor in compact([lookup(var.release_floors, change.repo, ""), trimspace(lookup(change.from.labels, "rollback.floor", ""))]) :
      can(regex("[0-9]", floor)) && try(compare_builds(change.to.build, floor) >= 0, false)
    ]
  ]))
  error_message = "Below the release floor: ${join(", ", flatten([
    for change in plan.changes : [
      for floor in compact([lookup(var.release_floors, change.repo, ""), trimspace(lookup(change.from.labels, "rollback.floor", ""))]) :
      "${change.app} would get ${change.to.tag}, and ${change.repo} cannot go below build ${floor}"
      if !(can(regex("[0-9]", floor)) && try(compare_builds(change.to.build, floor) >= 0, false))
    ]
  ]))}."
  severity = "error"
}
