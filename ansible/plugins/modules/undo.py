#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Put back what an operation has changed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: undo
short_description: Undo a rollback
version_added: "0.1.0"
description:
  - Puts the apps of an environment back to the images they had before an operation.
  - When anything goes wrong, everything is put back, as with M(rollback_project.rollback.apply).
  - An operation that is undone already has nothing to do. One whose apps somebody has changed since is refused, and nothing is
    changed.
  - The images that an operation has taken an environment away from are known bad, so an undo often needs O(allow_quarantined).
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - rollback_project.rollback.rollback
  - rollback_project.rollback.rollback.choice
  - rollback_project.rollback.rollback.record
attributes:
  check_mode:
    support: full
    details: The plan is made and returned, and nothing is changed.
  diff_mode:
    support: full
    details: One line an app with its image, before and after.
  platform:
    platforms: posix
options:
  operation:
    description:
      - The operation to undo, as RV(rollback_project.rollback.apply#module:operation_id) names it.
      - The default is the last one of the environment.
    type: str
seealso:
  - module: rollback_project.rollback.points
  - module: rollback_project.rollback.plan
  - module: rollback_project.rollback.apply
  - module: rollback_project.rollback.info
"""

EXAMPLES = r"""
- name: Undo the last operation on production
  rollback_project.rollback.undo:
    policy: /srv/rollback/policy.hcl
    env: prod
    reason: It was not the release after all

- name: Undo what a task before has done
  rollback_project.rollback.undo:
    policy: /srv/rollback/policy.hcl
    operation: "{{ back.operation_id }}"
  when: back is changed
"""

RETURN = r"""
msg:
  description: What happened, in one sentence; on failure also the lines of the policy that are to blame.
  returned: always
  type: str
  sample: "prod is as before: 4 changed, all healthy."
rc:
  description:
    - The program's exit code.
    - 0 done or nothing to do, 1 refused and nothing was changed, 3 failed and everything was put back, 4 a person is needed,
      5 somebody else holds the environment, 130 interrupted.
  returned: always, when the program answered
  type: int
  sample: 0
diagnostics:
  description: Errors and warnings, each with the place in the policy it is about. Warnings are shown by Ansible as well.
  returned: when there are any
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) or V(warning).
      returned: always
      type: str
      sample: error
    summary:
      description: The kind of problem, in one line.
      returned: always
      type: str
      sample: No release at this date
    detail:
      description: What is wrong, and what to do.
      returned: always
      type: str
      sample: The nearest dates are 2019-06-01 and 2019-06-03.
    snippet:
      description: The lines of the policy.
      returned: where there are lines
      type: dict
operation_id:
  description: The operation, to undo it by or to look it up with C(rollback history show).
  returned: when there was one
  type: str
  sample: 01JD4V3K7Q8ZC2N5M9X0T1R6BS
outcome:
  description:
    - How it ended.
    - V(done); V(nothing_to_do); V(refused) before anything was changed; V(restored), it failed and everything was put back;
      V(needs_person), it failed and not everything could be put back; V(interrupted); V(locked) by somebody else.
  returned: always, when the program answered
  type: str
  sample: done
changes:
  description: What was done, or in check mode would be done, with every app.
  returned: when there was a plan
  type: list
  elements: dict
  contains:
    app:
      description: The app, as the orchestrator names it.
      returned: always
      type: str
      sample: /ds/prod/shop/backend-b
    repo:
      description: The repo its image is from.
      returned: always
      type: str
      sample: backend-b
    action:
      description: What was done, or in check mode would be done, with it.
      returned: always
      type: str
      sample: rollback
    from:
      description: The image before.
      returned: always
      type: str
      sample: registry.example.com:5000/backend-b:11-master
    to:
      description: The image after.
      returned: always
      type: str
      sample: registry.example.com:5000/backend-b:10-master
    gap_filled:
      description: Whether it had no release at that point, so that it gets its nearest earlier one.
      returned: always
      type: bool
      sample: true
changed_apps:
  description: The apps that run another image than before.
  returned: when there was an operation
  type: list
  elements: str
  sample: [/ds/prod/shop/backend-a, /ds/prod/shop/frontend]
restored:
  description: The apps that were put back after a failure.
  returned: on failure
  type: list
  elements: str
  sample: [/ds/prod/shop/backend-a, /ds/prod/shop/frontend]
not_restored:
  description: The apps that could not be put back. A person has to look after them; RV(recovery_file) says how.
  returned: on failure
  type: list
  elements: str
  sample: []
recovery_file:
  description: File on the target that says what is where, and how to bring it to an end by hand.
  returned: when a person is needed
  type: str
  sample: /srv/rollback/recovery.md
duration_seconds:
  description: How long it took.
  returned: when there was an operation
  type: float
  sample: 12.5
plan:
  description: The whole plan, as C(rollback show --json) writes it, with the reason for every image.
  returned: in check mode
  type: dict
would_change:
  description: Whether any app would change.
  returned: in check mode
  type: bool
  sample: true
diff:
  description: One line an app with its image, before and after.
  returned: with C(--diff)
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollback_project.rollback.plugins.module_utils.binary import (
    CHOICE_SPEC,
    POLICY_SPEC,
    RECORD_SPEC,
    run_command,
)


def main():
    """Hand the arguments to rollback, and its answer to Ansible."""
    module = AnsibleModule(
        argument_spec=dict(
            POLICY_SPEC,
            operation=dict(type="str"),
            **dict(CHOICE_SPEC, **RECORD_SPEC)
        ),
        supports_check_mode=True,
    )
    run_command(module, "undo")


if __name__ == "__main__":
    main()
