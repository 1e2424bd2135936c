#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""What a rollback would change."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: plan
short_description: Show what taking an environment back would change
version_added: "0.1.0"
description:
  - Makes the plan of a rollback. Nothing is changed.
  - The plan may be saved with O(plan_file), to be reviewed and then applied by M(rollback_project.rollback.apply) exactly as it is.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - rollback_project.rollback.rollback
  - rollback_project.rollback.rollback.repos
  - rollback_project.rollback.rollback.plan
  - rollback_project.rollback.rollback.choice
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed on the target, except for O(plan_file), which is not written in check mode.
  diff_mode:
    support: full
    details: One line an app with its image, now and after the plan.
  platform:
    platforms: posix
options:
  to:
    description:
      - When to go back to.
      - A date such as V(2019-06-01), an RFC 3339 instant, V(yesterday), or V(-1), V(-2) and so on, which are so many points before what
        runs now.
    type: str
    required: true
    aliases: [date]
  plan_file:
    description:
      - File on the target to save the plan to.
    type: path
seealso:
  - module: rollback_project.rollback.points
  - module: rollback_project.rollback.apply
  - module: rollback_project.rollback.undo
  - module: rollback_project.rollback.info
"""

EXAMPLES = r"""
- name: Make a plan for the point before what runs now
  rollback_project.rollback.plan:
    policy: /srv/rollback/policy.hcl
    env: prod
    to: "-1"
    plan_file: /srv/rollback/prod.plan
  register: planned

- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ planned.changes }}"
  when: planned.would_change
"""

RETURN = r"""
msg:
  description: What happened, in one sentence; on failure also the lines of the policy that are to blame.
  returned: always
  type: str
  sample: "4 apps would change in prod."
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
plan:
  description: The whole plan, as C(rollback show --json) writes it, with the reason for every image.
  returned: success
  type: dict
would_change:
  description: Whether any app would change.
  returned: success
  type: bool
  sample: true
changes:
  description: What would be done with every app.
  returned: success
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
      description: What would be done with it.
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
plan_file:
  description: Where the plan was saved.
  returned: when O(plan_file) was set
  type: str
  sample: /srv/rollback/prod.plan
diff:
  description: One line an app with its image, before and after.
  returned: with C(--diff)
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollback_project.rollback.plugins.module_utils.binary import (
    PLAN_SPEC,
    POLICY_SPEC,
    run_command,
)


def main():
    """Hand the arguments to rollback, and its answer to Ansible."""
    module = AnsibleModule(
        argument_spec=dict(
            POLICY_SPEC,
            to=dict(type="str", required=True, aliases=["date"]),
            **PLAN_SPEC
        ),
        supports_check_mode=True,
    )
    run_command(module, "plan")


if __name__ == "__main__":
    main()
