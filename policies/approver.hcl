# Somebody else has allowed it.
#
#   include = ["builtin:approver"]
#   variable "approvers" { default = ["alice", "bob"] }
#
# Who approved is said with --approved-by; who operates, the machine knows as user@host.

variable "approvers" {
  type        = list(string)
  description = "Who may approve; anybody but the operator when the list is empty."
  default     = []
}

variable "approval_environments" {
  type        = list(string)
  description = "The environments where it is asked for; all when the list is empty."
  default     = []
}

# Names are compared without regard to case and machine: alice, Alice and alice@laptop are one person.
guard "approver" {
  condition = length(var.approval_environments) > 0 && !contains(var.approval_environments, plan.environment) || (
    trimspace(split("@", operator.approved_by)[0]) != "" &&
    split("@", operator.user)[0] != "" &&
    lower(trimspace(split("@", operator.approved_by)[0])) != lower(trimspace(split("@", operator.user)[0])) &&
    (length(var.approvers) == 0 || contains(
      [for name in var.approvers : lower(trimspace(split("@", name)[0]))], lower(trimspace(split("@", operator.approved_by)[0]))
    ))
  )
  error_message = (
    trimspace(split("@", operator.approved_by)[0]) == "" ? "Nobody has approved it: give --approved-by NAME." :
    split("@", operator.user)[0] == "" ? "Who operates is not known, so nobody can tell whether ${operator.approved_by} is somebody else." :
    lower(trimspace(split("@", operator.approved_by)[0])) == lower(trimspace(split("@", operator.user)[0])) ? "${operator.approved_by} cannot approve what they do themselves." :
    "${operator.approved_by} is not among those who may approve: ${join(", ", var.approvers)}."
  )
  severity = "error"
}
