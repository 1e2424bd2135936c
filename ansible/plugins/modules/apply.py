#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Take an environment back."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: apply
short_description: Take an environment back to an earlier point, all of it or nothing
version_added: "0.1.0"
description:
  - Changes the image of every app to the one it had at that point, deploys, and waits until everything is healthy.
  - When anything goes wrong, everything is put back, and the module fails with what was restored and what was not.
  - It is idempotent. An environment that is at that point already is not changed.
  - This is the C(run) of the article. Nobody is asked; the task is the approval.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - rollback_project.rollback.rollback
  - rollback_project.rollback.rollback.repos
  - rollback_project.rollback.rollback.plan
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
  to:
    description:
      - When to go back to.
      - A date such as V(2019-06-01), an RFC 3339 instant, V(yesterday), or V(-1), V(-2) and so on, which are so many points before what
        runs now.
    type: str
    aliases: [date]
  plan_file:
    description:
      - A saved plan on the target. Exactly this is done, and only if the world is still the same.
    type: path
  user:
    description:
      - User of DC/OS, as in the article, where there is no policy.
    type: str
  password:
    description:
      - The user's password.
    type: str
  dump_path:
    description:
      - Folder on the target with the C(rollback.json) that M(rollback_project.rollback.points) has written.
    type: path
seealso:
  - module: rollback_project.rollback.points
  - module: rollback_project.rollback.plan
  - module: rollback_project.rollback.undo
  - module: rollback_project.rollback.info
"""

EXAMPLES = r"""
- name: Take production back to a date
  rollback_project.rollback.apply:
    policy: /srv/rollback/policy.hcl
    env: prod
    to: "2019-06-01"
    approved_by: alice
    reason: The checkout is broken
    ticket: OPS-1234

- name: Do exactly what was reviewed
  rollback_project.rollback.apply:
    policy: /srv/rollback/policy.hcl
    plan_file: /srv/rollback/prod.plan

- name: The article's call, without a policy
  rollback_project.rollback.apply:
    date: "2019-06-01"
    env: master
    slack: "{{ slack_callback }}"
    user: "{{ dcos_user }}"
    password: "{{ dcos_password }}"
    dump_path: "{{ workspace }}"

- name: Take production back, and see to a failure
  block:
    - name: Try
      rollback_project.rollback.apply:
        policy: /srv/rollback/policy.hcl
        to: "-1"
      register: back
  rescue:
    - name: Call for help where not everything could be put back
      ansible.builtin.fail:
        msg: "Look after {{ back.not_restored | join(', ') }}: {{ back.recovery_file }}"
      when: back.rc | default(1) == 4
"""

RETURN = r"""
msg:
  description: What happened, in one sentence; on failure also the lines of the policy that are to blame.
  returned: always
  type: str
  sample: "prod is at 2019-06-01: 4 changed, all healthy."
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
    PLAN_SPEC,
    POLICY_SPEC,
    RECORD_SPEC,
    run_command,
)


def main():
    """Hand the arguments to rollback, and its answer to Ansible."""
    module = AnsibleModule(
        argument_spec=dict(
            POLICY_SPEC,
            to=dict(type="str", aliases=["date"]),
            user=dict(type="str"),
            password=dict(type="str", no_log=True),
            dump_path=dict(type="path"),
            **dict(PLAN_SPEC, **RECORD_SPEC)
        ),
        # A saved plan has been made already: what would make another one is a mistake.
        mutually_exclusive=[("plan_file", k) for k in ("to", "repo", "only", "except", "overrides")],
        required_one_of=[("to", "plan_file")],
        supports_check_mode=True,
    )
    run_command(module, "apply")


if __name__ == "__main__":
    main()
