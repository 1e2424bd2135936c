# SPDX-License-Identifier: Apache-2.0
"""What the modules ask the program, and what they make of its answers."""

from __future__ import annotations

import json

import pytest

SECRET = "https://hooks.example.com/services/T0/B0/verysecret"

HOSTILE = "a'b\"c d\ne;$(touch /tmp/x)`touch /tmp/x`{{ 7 * 7 }}|&<>\\"

ALL = {
    "points": dict(policy=["p.hcl"], chdir="/srv", env="prod", repo=["a", "b"], registry="r:5000", vars={"n": 1}, var_files=["v"], dump_path="/d"),
    "plan": {
        "to": "-1", "plan_file": "/p", "only": ["a"], "except": ["b"], "overrides": {"g": "because"}, "allow_partial": True,
        "allow_quarantined": False, "approved_by": "alice", "vars": {"deep": {"list": [1, "2", None, True]}},
    },
    "apply": dict(to="2019-06-01", reason="r", ticket="t", lock_timeout="30s", report=["a.html", "b.xml"], user="u", dump_path="/d"),
    "undo": dict(operation="01J", reason="r", only=["a"], allow_quarantined=True, approved_by="alice", report=["a.md"]),
    "info": dict(limit=3, env="prod"),
}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_argument_reaches_the_program_as_it_is(fake, name):
    fake.run(name, **ALL[name])

    assert fake.was_asked() == dict(ALL[name], command=name)


@pytest.mark.parametrize("name", ["points", "plan", "apply", "undo", "info"])
def test_what_is_not_set_is_not_said(fake, name):
    needed = {"to": "-1"} if name in ("plan", "apply") else {}

    fake.run(name, **needed)

    assert fake.was_asked() == dict(needed, command=name, **({"limit": 20} if name == "info" else {}))


def test_date_is_another_name_of_to(fake):
    fake.run("apply", date="2019-06-01")

    assert fake.was_asked() == {"command": "apply", "to": "2019-06-01"}


def test_a_comma_separated_string_is_a_list_of_repos(fake):
    fake.run("points", repo="a,b")

    assert fake.was_asked()["repo"] == ["a", "b"]


@pytest.mark.parametrize("given, wanted", [
    (dict(_ansible_check_mode=True), (True, False)),
    (dict(_ansible_diff=True), (False, True)),
    ({}, (False, False)),
])
def test_check_and_diff_mode_are_handed_on(fake, given, wanted):
    fake.run("apply", to="-1", **given)

    asked = fake.raw()["asked"]
    assert (asked["_ansible_check_mode"], asked["_ansible_diff"]) == wanted


@pytest.mark.parametrize("name", sorted(ALL))
def test_hostile_texts_arrive_to_the_letter(fake, name):
    texts = dict((k, HOSTILE) for k, v in ALL[name].items() if isinstance(v, str))
    lists = dict((k, [HOSTILE.replace("\\", "/")]) for k, v in ALL[name].items() if isinstance(v, list))
    texts.update(lists)

    fake.run(name, **texts)

    asked = fake.was_asked()
    assert dict((k, asked[k]) for k in texts) == texts


def test_secrets_are_in_no_environment_and_in_no_result(fake):
    fake.says({"changed": True, "failed": False, "rc": 0, "msg": "told %s" % SECRET, "warnings": ["hunter22 is short"]})

    result = fake.run("apply", to="-1", slack=SECRET, password="hunter22", secret_vars={"token": "s3cr3t-token"})

    assert fake.was_asked()["slack"] == SECRET
    environment = json.dumps(fake.raw()["environment"])
    for secret in (SECRET, "hunter22", "s3cr3t-token"):
        assert secret not in environment
        assert secret not in json.dumps(result)


def test_all_keys_of_a_success_are_kept(fake):
    answer = {
        "changed": True, "failed": False, "rc": 0, "msg": "done", "operation_id": "01J", "outcome": "done", "changed_apps": ["/a"],
        "changes": [{"app": "/a", "from": "r/a:2", "to": "r/a:1"}], "diff": [{"before": "a", "after": "b"}],
    }
    fake.says(answer)

    result = fake.run("apply", to="-1")

    assert dict((k, result[k]) for k in answer if k != "failed") == dict((k, v) for k, v in answer.items() if k != "failed")
    assert "failed" not in result


def test_a_failure_tells_what_was_restored_and_what_was_not(fake):
    fake.says({"changed": False, "failed": True, "rc": 4, "msg": "no", "restored": ["/a"], "not_restored": ["/b"], "recovery_file": "/r.md"})

    result = fake.run("apply", to="-1")

    assert result["failed"] is True
    assert (result["rc"], result["restored"], result["not_restored"], result["recovery_file"]) == (4, ["/a"], ["/b"], "/r.md")


def test_an_error_of_the_policy_is_shown_with_its_lines(fake):
    fake.says({"changed": False, "failed": True, "rc": 1, "msg": "the policy cannot be read", "diagnostics": [{
        "severity": "error", "summary": "Unknown setting", "detail": 'Did you mean "address"?',
        "range": {"filename": "policy.hcl", "start": {"line": 7}},
        "snippet": {"context": 'registry "docker"', "code": '  adress = "x"\n  y = 1', "start_line": 7},
    }]})

    result = fake.run("plan", to="-1")

    assert result["msg"] == (
        "the policy cannot be read\n\nError: Unknown setting\n  on policy.hcl line 7, in registry \"docker\":\n"
        '     7:   adress = "x"\n     8:   y = 1\nDid you mean "address"?'
    )


def test_what_the_sentence_says_already_is_not_said_twice(fake):
    fake.says({"changed": False, "failed": True, "rc": 1, "msg": "Unknown setting (policy.hcl:7): …", "diagnostics": [
        {"severity": "error", "summary": "Unknown setting", "detail": "…"}]})

    assert fake.run("plan", to="-1")["msg"] == "Unknown setting (policy.hcl:7): …"


def test_warnings_and_diagnostics_are_warnings_of_ansible_once_each(fake):
    fake.says({
        "changed": False, "failed": False, "rc": 0, "msg": "fine", "warnings": ["Old tag: said already"],
        "diagnostics": [
            {"severity": "warning", "summary": "Old tag", "detail": "said already"},
            {"severity": "warning", "summary": "Another", "detail": "only here"},
        ],
    })

    said = [w["event"]["msg"] if isinstance(w, dict) else w for w in fake.run("plan", to="-1").get("warnings", [])]

    assert [w for w in said if "tag" in w or "Another" in w] == ["Old tag: said already", "Warning: Another\nonly here"]


def test_control_characters_do_not_reach_the_terminal(fake):
    fake.says({"changed": False, "failed": True, "rc": 1, "msg": "\x1b]0;owned\x07 line\r\nnext\u202e"})

    assert fake.run("plan", to="-1")["msg"] == "\ufffd]0;owned\ufffd line\ufffd\nnext\ufffd"


@pytest.mark.parametrize("answer", ["", "not JSON", "[]", "{}", '{"a":', "null"])
def test_no_result_is_a_failure_that_shows_what_was_said(fake, answer):
    fake.says(answer, code=2, stderr="panic: \x1b[31mout of luck\n")

    result = fake.run("apply", to="-1")

    assert result["failed"] is True
    assert result["msg"] == "rollback ended with exit code 2 and without a result: panic: \ufffd[31mout of luck"
    assert (result["rc"], result["stdout"]) == (2, answer)


def test_an_exit_code_is_a_failure_whatever_the_answer_says(fake):
    fake.says({"changed": False, "msg": "there is no argument x"}, code=1)

    result = fake.run("apply", to="-1")

    assert (result["failed"], result["rc"], result["msg"]) == (True, 1, "there is no argument x")


@pytest.mark.parametrize("arguments, said", [
    ({}, "one of the following is required: to, plan_file"),
    ({"to": "-1", "plan_file": "/p"}, "mutually exclusive"),
    ({"plan_file": "/p", "overrides": {"a": "b"}}, "mutually exclusive"),
    ({"plan_file": "/p", "only": ["a"]}, "mutually exclusive"),
])
def test_apply_wants_a_date_or_a_saved_plan(fake, arguments, said):
    result = fake.run("apply", **arguments)

    assert result["failed"] is True
    assert said in result["msg"]
    assert not (fake.folder / "asked").exists()
