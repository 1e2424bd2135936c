# SPDX-License-Identifier: Apache-2.0
"""What the documentation of all modules of this collection has in common."""

from __future__ import annotations


class ModuleDocFragment(object):
    DOCUMENTATION = r"""
options:
  binary:
    description:
      - The program C(rollback) on the target.
      - A path, or a name that is looked up in E(PATH). The default is C(rollback) in E(PATH).
    type: path
  chdir:
    description:
      - Folder on the target to work in.
      - The policy is looked for there when O(policy) is not set, and without a policy that says otherwise, C(rollback) keeps its record of
        operations there, in C(.rollback).
    type: path
  env:
    description:
      - Environment, by its name or by its branch.
      - May be left out where the policy names a default or has only one.
    type: str
  policy:
    description:
      - Files or folders of the policy on the target.
      - The default is C(policy.hcl), then C(*.hcl), in the current folder. Without any, the article's variables are enough.
    type: list
    elements: path
  vars:
    description:
      - Variables of the policy, and their values of any type.
    type: dict
  secret_vars:
    description:
      - The same, for values that must not be shown.
      - They are handed over on standard input, never on a command line.
    type: dict
  var_files:
    description:
      - Files on the target to read variables from.
    type: list
    elements: path
requirements:
  - rollback 0.1.0 or newer on the target
  - Python 3.7 or newer on the target; without it, use the program as a binary module
author:
  - The rollback project (@rollback-project)
"""

    # Which repos there are, and where their images are: points, plan and apply.
    REPOS = r"""
options:
  repo:
    description:
      - Only these repos. A comma separated string is taken as well.
      - Without a policy these are all the repos there are.
    type: list
    elements: str
  registry:
    description:
      - C(HOST:PORT) of the registry, instead of the policy's.
    type: str
"""

    # What may be missing: plan and apply.
    PLAN = r"""
options:
  allow_partial:
    description:
      - Go on although a repo could not be read. Its apps stay as they are.
    type: bool
"""

    # What a plan holds, and what it is judged by: plan, apply and undo.
    CHOICE = r"""
options:
  only:
    description:
      - Of all repos, only these; for exceptional cases, because releases that belong together are then taken apart.
    type: list
    elements: str
  except:
    description:
      - All repos but these; for exceptional cases.
    type: list
    elements: str
  overrides:
    description:
      - Guards that are to pass although they do not hold. A dictionary from the name of the guard to the reason.
    type: dict
  allow_quarantined:
    description:
      - Go to images that are known bad.
    type: bool
  approved_by:
    description:
      - Who approves, for guards and for the record.
    type: str
"""

    # What goes into the record of an operation: apply and undo.
    RECORD = r"""
options:
  reason:
    description:
      - Why, for the record and for the notifications.
    type: str
  ticket:
    description:
      - The incident, for the record and for the notifications.
    type: str
  lock_timeout:
    description:
      - How long to wait while somebody else holds the environment, as a duration such as V(30s) or V(5m).
      - The default is not to wait.
    type: str
  report:
    description:
      - Files on the target to write a report into. The name decides what it is. C(.html) is a page without anything from outside,
        C(.xml) is a JUnit report with one test case an app, C(.md) is Markdown.
    type: list
    elements: path
  slack:
    description:
      - URL of a Slack webhook, instead of the policy's notifiers.
    type: str
"""
