#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""What runs in an environment, and what has been done to it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: info
short_description: Gather what runs in an environment and what was done to it
version_added: "0.1.0"
description:
  - Tells what runs, whether somebody has deployed since, whether an operation is unfinished, which apps are held, and the last operations.
  - Nothing is changed.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - rollback_project.rollback.rollback
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed.
  diff_mode:
    support: none
    details: There is nothing to compare.
  platform:
    platforms: posix
options:
  limit:
    description:
      - How many past operations to return.
    type: int
    default: 20
seealso:
  - module: rollback_project.rollback.points
  - module: rollback_project.rollback.plan
  - module: rollback_project.rollback.apply
  - module: rollback_project.rollback.undo
"""

EXAMPLES = r"""
- name: See what runs in production
  rollback_project.rollback.info:
    policy: /srv/rollback/policy.hcl
    env: prod
  register: production

- name: Stop where an operation was broken off
  ansible.builtin.assert:
    that: production.unfinished is none
    fail_msg: "Run rollback resume first"
"""

RETURN = r"""
msg:
  description: What happened, in one sentence; on failure also the lines of the policy that are to blame.
  returned: always
  type: str
  sample: "4 apps run in prod, as rollback has left them."
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
version:
  description: The program's version.
  returned: success
  type: str
  sample: 0.1.0
environment:
  description: The environment.
  returned: success
  type: str
  sample: prod
apps:
  description: The apps, and what they run.
  returned: success
  type: list
  elements: dict
drift:
  description: The apps that somebody has deployed since the last operation.
  returned: success
  type: list
  elements: dict
unfinished:
  description: The operation that was broken off, if there is one.
  returned: success
  type: dict
holds:
  description: The apps that pipelines are asked not to deploy.
  returned: success
  type: list
  elements: dict
history:
  description: Past operations, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    operation_id:
      description: The operation.
      returned: always
      type: str
      sample: 01JD4V3K7Q8ZC2N5M9X0T1R6BS
    kind:
      description: What was asked for, V(apply) or V(undo).
      returned: always
      type: str
      sample: apply
    outcome:
      description: How it ended.
      returned: always
      type: str
      sample: done
    started_at:
      description: When, RFC 3339.
      returned: always
      type: str
      sample: "2019-06-03T09:12:44Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollback_project.rollback.plugins.module_utils.binary import (
    POLICY_SPEC,
    run_command,
)


def main():
    """Hand the arguments to rollback, and its answer to Ansible."""
    module = AnsibleModule(
        argument_spec=dict(POLICY_SPEC, limit=dict(type="int", default=20)),
        supports_check_mode=True,
    )
    run_command(module, "info")


if __name__ == "__main__":
    main()
