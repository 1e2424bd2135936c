#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""The dates one can go back to."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: points
short_description: List the points that an environment can be taken back to
version_added: "0.1.0"
description:
  - Lists the dates one can go back to, and what every repo would get at each.
  - A repo that has no release at a date gets its nearest earlier one, because a newer one would not fit the others.
  - This is the C(get) of the article. Nothing is changed.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - rollback_project.rollback.rollback
  - rollback_project.rollback.rollback.repos
attributes:
  check_mode:
    support: full
    details: Nothing is ever changed on the target, except for the file in O(dump_path), which is not written in check mode.
  diff_mode:
    support: none
    details: There is nothing to compare.
  platform:
    platforms: posix
options:
  dump_path:
    description:
      - Folder on the target to write C(rollback.json) into, as the article's job reads it.
    type: path
seealso:
  - module: rollback_project.rollback.plan
  - module: rollback_project.rollback.apply
  - module: rollback_project.rollback.undo
  - module: rollback_project.rollback.info
"""

EXAMPLES = r"""
- name: List the dates one can go back to
  rollback_project.rollback.points:
    policy: /srv/rollback/policy.hcl
    env: prod
  register: points

- name: Show them, newest first
  ansible.builtin.debug:
    var: points.dates

- name: The article's call, without a policy
  rollback_project.rollback.points:
    repo: backend-a,backend-b,frontend
    env: master
    registry: registry.example.com:5000
    dump_path: "{{ workspace }}"
"""

RETURN = r"""
msg:
  description: What happened, in one sentence; on failure also the lines of the policy that are to blame.
  returned: always
  type: str
  sample: "7 points to go back to in prod."
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
environment:
  description: The environment.
  returned: success
  type: str
  sample: prod
dates:
  description: The dates, newest first.
  returned: success
  type: list
  elements: str
  sample: ["2019-06-03", "2019-06-01"]
points:
  description: The points, each with its date and what every repo would get.
  returned: success
  type: list
  elements: dict
rollbacks:
  description: The releases of every date, tag to repo, as the article has them.
  returned: success
  type: dict
  sample: {"2019-06-01": [{"11-master": "backend-a"}]}
repos:
  description: The repos.
  returned: success
  type: list
  elements: str
  sample: [backend-a, frontend]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollback_project.rollback.plugins.module_utils.binary import (
    POLICY_SPEC,
    REPO_SPEC,
    run_command,
)


def main():
    """Hand the arguments to rollback, and its answer to Ansible."""
    module = AnsibleModule(
        argument_spec=dict(
            POLICY_SPEC,
            dump_path=dict(type="path"),
            **REPO_SPEC
        ),
        supports_check_mode=True,
    )
    run_command(module, "points")


if __name__ == "__main__":
    main()
