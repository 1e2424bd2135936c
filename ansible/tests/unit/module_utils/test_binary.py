# SPDX-License-Identifier: Apache-2.0
"""How the program is found, and which one is taken."""

from __future__ import annotations

import os

import pytest
from ansible_collections.rollback_project.rollback.plugins.module_utils import binary


@pytest.mark.parametrize("version, fine", [
    ("0.1.0", True), ("0.1.1", True), ("0.10.0", True), ("1.0.0", True), ("v0.1.0", True),
    ("0.1.0-4-gabc1234", True), ("1.2.3-rc1", True), ("0.1.0+build", True),
    ("0.0.9", False), ("0.0.9-4-gabc1234", False),
    ("dev", True), ("(devel)", True), ("0.1.0-dev", True), ("0.0.0-20190601120000-abcdef", True),
])
def test_the_minimum_version_is_kept_and_development_builds_pass(version, fine):
    assert binary.new_enough(version) is fine


def test_an_old_program_is_refused_with_both_versions(fake):
    fake.is_version('{"version": "0.0.9"}')

    result = fake.run("info")

    assert result["failed"] is True
    assert "is version 0.0.9; this collection needs 0.1.0 or newer" in result["msg"]
    assert (result["version"], result["minimum_version"]) == ("0.0.9", "0.1.0")


@pytest.mark.parametrize("answer", ["", "rollback 1.0", "[]", "{}", '{"version": 1}', '{"version": "one"}'])
def test_a_program_that_is_another_one_is_refused(fake, answer):
    fake.is_version(answer)

    assert "is no rollback binary" in fake.run("info")["msg"]


def test_a_missing_program_is_refused_with_how_to_get_it(fake, tmp_path):
    result = fake.run("info", binary=str(tmp_path / "none"))

    assert result["failed"] is True
    assert "there is no rollback binary at" in result["msg"]
    assert "copy it to the target" in result["msg"]


def test_the_program_is_looked_for_in_path(fake, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere" + os.pathsep + str(fake.folder) + os.pathsep + os.environ["PATH"])

    assert fake.run("info", binary=None)["msg"] == "fine"


def test_a_missing_program_in_path_is_refused_with_the_path(fake, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    assert fake.run("info", binary=None)["msg"].startswith("there is no rollback in PATH (/nowhere). It is one file")


@pytest.mark.parametrize("prepare, said", [
    (lambda p: p.mkdir(), "is a folder"),
    (lambda p: (p.write_text("#!/nowhere/interpreter\n"), p.chmod(0o755)), "No such file"),
    (lambda p: (p.write_bytes(b"\x7fELF nonsense"), p.chmod(0o755)), "Exec format error"),
])
def test_what_cannot_be_run_is_refused_with_the_reason(fake, tmp_path, prepare, said):
    path = tmp_path / "other"
    prepare(path)

    assert said in fake.run("info", binary=str(path))["msg"]


def test_an_interrupt_does_not_end_the_module_before_the_program(fake):
    # The fake interrupts its caller and answers afterwards.
    text = (fake.folder / "rollback").read_text()
    (fake.folder / "rollback").write_text(text.replace("sys.stderr.write", "import signal\nos.kill(os.getppid(), signal.SIGINT)\nsys.stderr.write"))
    fake.says({"changed": False, "failed": True, "rc": 130, "msg": "interrupted", "restored": ["/a"]})

    result = fake.run("apply", to="-1")

    assert (result["rc"], result["restored"]) == (130, ["/a"])
