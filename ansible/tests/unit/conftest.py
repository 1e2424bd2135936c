# SPDX-License-Identifier: Apache-2.0
"""A rollback that says what a test has laid down, and is strict about what it is asked."""

from __future__ import annotations

import importlib
import json
import os
import stat
import sys

import pytest
from ansible.module_utils.testing import patch_module_args

FAKE = '''#!%s
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
known = {
    "command", "policy", "chdir", "env", "to", "plan_file", "repo", "only", "except", "registry", "vars", "secret_vars", "var_files",
    "approved_by", "reason", "ticket", "overrides", "allow_partial", "allow_quarantined", "lock_timeout", "slack", "user", "password",
    "dump_path", "operation", "report", "limit", "_ansible_check_mode", "_ansible_diff",
}


def read(name, otherwise):
    try:
        with open(os.path.join(here, name)) as f:
            return f.read()
    except IOError:
        return otherwise


if sys.argv[1:] == ["version", "--json"]:
    sys.stdout.write(read("version", json.dumps({"version": "0.1.0"})))
    sys.exit(0)
if sys.argv[1:] != ["ansible-module", "-"]:
    sys.exit("called with %%r" %% sys.argv[1:])
asked = json.loads(sys.stdin.read())
unknown = sorted(set(asked) - known)
if unknown or "command" not in asked:
    sys.exit("unknown: %%s" %% unknown)
with open(os.path.join(here, "asked"), "w") as f:
    json.dump({"asked": asked, "environment": dict(os.environ)}, f)
sys.stderr.write(read("stderr", ""))
sys.stdout.write(read("answer", json.dumps({"changed": False, "failed": False, "rc": 0, "msg": "fine"})))
sys.exit(int(read("code", "0")))
'''


class Fake(object):
    """The fake program, and the module run against it."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.capsys = capsys
        self.path = str(folder / "rollback")
        (folder / "rollback").write_text(FAKE % sys.executable)
        os.chmod(self.path, os.stat(self.path).st_mode | stat.S_IXUSR)

    def says(self, answer, code=0, stderr=""):
        """Lay down what the program answers."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        (self.folder / "answer").write_text(text)
        (self.folder / "code").write_text(str(code))
        (self.folder / "stderr").write_text(stderr)

    def is_version(self, answer):
        """Lay down what `version --json` answers."""
        (self.folder / "version").write_text(answer)

    def run(self, name, **arguments):
        """Run a module and return its result."""
        arguments = dict({"binary": self.path}, **arguments)
        arguments = dict((k, v) for k, v in arguments.items() if v is not None)
        module = importlib.import_module("ansible_collections.rollback_project.rollback.plugins.modules." + name)
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(self.capsys.readouterr().out.splitlines()[-1])

    def was_asked(self):
        """Return what the program was asked, without what every call has."""
        asked = json.loads((self.folder / "asked").read_text())["asked"]
        return dict((k, v) for k, v in asked.items() if not k.startswith("_ansible_"))

    def raw(self):
        """Return all that the program has seen of the call."""
        return json.loads((self.folder / "asked").read_text())


@pytest.fixture
def fake(tmp_path, capsys):
    """A fake program in a folder of its own."""
    return Fake(tmp_path, capsys)
