# SPDX-License-Identifier: Apache-2.0
"""The program rollback, as the modules of this collection use it.

The modules decide nothing: they hand their arguments to `rollback
ansible-module -` as one JSON object on standard input, so that no shell, no
list of processes and no environment ever sees them, and give back the one JSON
object that it answers with.
"""

from __future__ import annotations

import json
import os
import re
import signal

from ansible.module_utils.common.parameters import remove_values

# The oldest program that understands what the modules of this collection say.
MINIMUM_VERSION = "0.1.0"

INSTALL_HINT = (
    "It is one file without dependencies: copy it to the target (ansible.builtin.copy, mode 0755) and name it with the "
    "option binary or put it into PATH, or let the role rollback_project.rollback.rollback bring it for the time of the run."
)

# How much of what a program printed goes into an error message.
TAIL = 2000

POLICY_SPEC = dict(
    binary=dict(type="path"),
    chdir=dict(type="path"),
    env=dict(type="str"),
    policy=dict(type="list", elements="path"),
    vars=dict(type="dict"),
    secret_vars=dict(type="dict", no_log=True),
    var_files=dict(type="list", elements="path"),
)

REPO_SPEC = dict(
    repo=dict(type="list", elements="str"),
    registry=dict(type="str"),
)

# What a plan holds and what it is judged by; "except" is a word of Python.
CHOICE_SPEC = {
    "only": dict(type="list", elements="str"),
    "except": dict(type="list", elements="str"),
    "overrides": dict(type="dict"),
    "allow_quarantined": dict(type="bool"),
    "approved_by": dict(type="str"),
}

PLAN_SPEC = dict(
    plan_file=dict(type="path"),
    allow_partial=dict(type="bool"),
    **dict(REPO_SPEC, **CHOICE_SPEC)
)

RECORD_SPEC = dict(
    reason=dict(type="str"),
    ticket=dict(type="str"),
    lock_timeout=dict(type="str"),
    report=dict(type="list", elements="path"),
    slack=dict(type="str", no_log=True),
)


class BinaryError(Exception):
    """The program is missing, too old, or did not answer; result holds what is known."""

    def __init__(self, message, **result):
        super(BinaryError, self).__init__(message)
        self.result = result


def run_command(module, command):
    """Run one command of the program and end the module with its answer."""
    try:
        path = find(module.params["binary"])
        check_version(module, path)
        result = ask(module, path, request(module, command))
    except BinaryError as e:
        module.fail_json(msg=str(e), **e.result)
    finish(module, result)


def find(binary, search=None):
    """Return the path of the program: the option binary, or the first one in PATH."""
    if search is None:
        search = os.environ.get("PATH", os.defpath)
    if binary and os.sep in binary:
        if os.path.isdir(binary):
            raise BinaryError("%s is a folder; the option binary names the program itself, such as %s/rollback" % (printable(binary), printable(binary)))
        if not os.path.exists(binary):
            raise BinaryError("there is no rollback binary at %s. %s" % (printable(binary), INSTALL_HINT))
        if not os.access(binary, os.X_OK):
            raise BinaryError("%s may not be executed by this user: give it the mode 0755" % printable(binary))
        return os.path.abspath(binary)
    name = binary or "rollback"
    for folder in search.split(os.pathsep):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise BinaryError("there is no %s in PATH (%s). %s" % (printable(name), printable(search), INSTALL_HINT))


def check_version(module, path):
    """Refuse a program that is older than MINIMUM_VERSION, or none of ours."""
    rc, out, err = execute(module, [path, "version", "--json"])
    try:
        version = json.loads(out)["version"]
        fine = new_enough(version)
    except (ValueError, KeyError, TypeError):
        raise BinaryError(
            "%s is no rollback binary: `version --json` ended with exit code %d and did not tell a version. %s"
            % (printable(path), rc, INSTALL_HINT),
            rc=rc, stdout=tail(out), stderr=tail(err),
        )
    if not fine:
        raise BinaryError(
            "rollback at %s is version %s; this collection needs %s or newer. %s"
            % (printable(path), printable(version), MINIMUM_VERSION, INSTALL_HINT),
            version=printable(version), minimum_version=MINIMUM_VERSION,
        )


def new_enough(version, minimum=MINIMUM_VERSION):
    """Say whether a version may be used; a build that no tag names always may."""
    if "dev" in version or version.startswith("0.0.0-"):
        return True
    return numbers(version) >= numbers(minimum)


def numbers(version):
    """Return a version's three numbers; what follows them does not matter here."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$", version)
    if not match:
        raise ValueError("not a version: %s" % version)
    return tuple(int(n) for n in match.groups())


def request(module, command):
    """Return what the program is asked: what was set, and how Ansible was called."""
    # By the names of the specification: params holds the aliases as well.
    asked = dict((k, module.params[k]) for k in module.argument_spec if k != "binary" and module.params[k] is not None)
    asked["command"] = command
    asked["_ansible_check_mode"] = module.check_mode
    asked["_ansible_diff"] = bool(module._diff)
    return asked


def ask(module, path, asked):
    """Ask the program, and return its answer, a dictionary."""
    rc, out, err = execute(module, [path, "ansible-module", "-"], json.dumps(asked))
    try:
        answer = json.loads(out)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not ("changed" in answer or "failed" in answer):
        said = tail(err) or tail(out) or "it said nothing"
        raise BinaryError("rollback ended with exit code %d and without a result: %s" % (rc, said), rc=rc, stdout=tail(out), stderr=tail(err))
    if rc != 0:
        answer["failed"] = True
        answer.setdefault("rc", rc)
    return answer


def execute(module, args, data=None):
    """Run the program to its end, however long it takes, without a shell."""
    with outliving():
        try:
            return module.run_command(
                args, data=data, use_unsafe_shell=False, expand_user_and_vars=False, handle_exceptions=False, errors="surrogate_then_replace",
            )
        except (OSError, IOError) as e:
            raise BinaryError("run %s: %s" % (printable(args[0]), e.strerror or "it could not be started"))


class outliving(object):
    """Stay until the program has ended, when Ansible is interrupted.

    A signal reaches the whole group of processes. The program takes it as the
    wish to stop, and puts everything back; it must not lose the pipes it
    writes to while it does. A handler is used, because a child would inherit
    a signal that is ignored.
    """

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self):
        self.before = dict((s, signal.signal(s, lambda number, frame: None)) for s in self.signals)
        return self

    def __exit__(self, *unused):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def finish(module, answer):
    """End the module with the program's answer, all of its keys kept."""
    message = printable(answer.pop("msg", None) or "rollback said nothing about it")
    warnings = [printable(w) for w in answer.pop("warnings", None) or []]
    errors = []
    for diagnostic in answer.get("diagnostics") or []:
        # The program's own sentences hold the summary, the place and its line already.
        summary = printable(diagnostic.get("summary") or "")
        if diagnostic.get("severity") == "error":
            errors += [] if summary in message else [render(diagnostic)]
        elif not any(summary in w for w in warnings):
            warnings.append(render(diagnostic))
    for warning in warnings:
        # Ansible takes secrets out of results, but not out of warnings.
        module.warn(remove_values(warning, module.no_log_values))

    failed = answer.pop("failed", False)
    if failed:
        module.fail_json(msg="\n\n".join([message] + errors), **answer)
    module.exit_json(msg=message, **answer)


def render(diagnostic):
    """Return a diagnostic as text: the lines it is about, then what to do."""
    lines = ["%s: %s" % (diagnostic.get("severity", "error").capitalize(), diagnostic.get("summary", ""))]
    snippet = diagnostic.get("snippet") or {}
    place = diagnostic.get("range") or {}
    if place.get("filename"):
        inside = ", in %s" % snippet["context"] if snippet.get("context") else ""
        lines.append("  on %s line %s%s:" % (place["filename"], (place.get("start") or {}).get("line", "?"), inside))
    for offset, code in enumerate((snippet.get("code") or "").splitlines()):
        lines.append("  %4d: %s" % (snippet.get("start_line", 1) + offset, code))
    if diagnostic.get("detail"):
        lines.append(diagnostic["detail"])
    return printable("\n".join(lines))


def tail(text):
    """Return the end of what a program printed, fit for a message."""
    return printable(text.strip()[-TAIL:])


def printable(text):
    """Replace control characters, which a terminal would obey, but line ends and tabs."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\ufffd", "%s" % text)
