#!/usr/bin/env bash
# Runs real ansible-playbook against the sandbox. Wants ROLLBACK, the program's
# path, and the collection in ANSIBLE_COLLECTIONS_PATH. Its last line is
# "integration: N passed, M failed".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${ROLLBACK:?the path of the program}")
work=$(mktemp -d)
service=rollback_project.rollback.rollback_service
passed=0
failed=0

clean_up() {
  (cd "$work" && "$program" sandbox down >/dev/null 2>&1) || true
  rm -rf "$work"
}
trap clean_up EXIT

# Every temporary file of the tests lies in the work folder, so that what is left behind can be seen.
mkdir -p "$work/tmp" "$work/library"
export ANSIBLE_PIPELINING=true TMPDIR=$work/tmp ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOLOR=1
cat >"$work/hosts.ini" <<'INI'
[rollback]
localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
INI

sandbox() { # ARGUMENT...: a fresh one, which gives a failing release up sooner
  cd "$work"
  "$program" sandbox down || true
  rm -rf .rollback-sandbox
  "$program" sandbox up --speed 20 --today 2019-06-07 "$@"
  sed -i 's/timeout = "20s"/timeout = "6s"/' .rollback-sandbox/policy.hcl
}

playbook() { # FILE ARGUMENT...
  (cd "$work" && ansible-playbook -i hosts.ini -e "work=$work" -e "rollback_bin=$program" "$@")
}

article() { # TAG ARGUMENT...: the playbook of the article's job
  (cd "$work" && ansible-playbook -i hosts.ini "$service" --tags "$1" -e "rollback_binary_src=$program" \
    -e "policy=$work/.rollback-sandbox/policy.hcl" "${@:2}")
}

running() { # IMAGE: it runs in the sandbox's production
  local status
  status=$(cd "$work" && "$program" sandbox status)
  grep -Eq "^ */ds/prod/shop/${1%%:*} +${1#*:} +2 of 2 healthy" <<<"$status" || { echo "not so: $1"; echo "$status"; return 1; }
}

told() { # Slack of the rollback
  local status
  status=$(cd "$work" && "$program" sandbox status)
  grep -q 'Rollback of prod to 2019-06-06: done' <<<"$status" || { echo "$status"; return 1; }
}

nothing_left() { # of the folders of runs
  [ -z "$(find "$work/tmp" /tmp -maxdepth 1 -name 'rollback.*' -newer "$work/hosts.ini" 2>/dev/null)" ]
}

says() { # WHAT, in the output of the test so far
  grep -Eq -- "$1" "$work/log" || { echo "not said: $1"; return 1; }
}

check() { # NAME FUNCTION
  local start=$SECONDS
  if (set -e; "$2") >"$work/log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok      $1 ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    echo "FAILED  $1"
    tail -n 60 "$work/log" | sed 's/^/        /'
  fi
}

the_modules() {
  sandbox && playbook "$here/modules.yml" --diff
}

bad_input() {
  sandbox && playbook "$here/bad_input.yml"
}

hostile_texts() {
  sandbox && playbook "$here/hostile.yml"
}

binary_module() {
  sandbox
  cp "$program" "$work/library/rollback"
  cp "$here/../../docs/rollback.yml" "$work/library/rollback.yml"
  ansible-doc -t module -M "$work/library" rollback >"$work/doc"
  grep -q "as a binary module" "$work/doc"
  ANSIBLE_LIBRARY=$work/library playbook "$here/binary.yml" --diff
  [ -z "$(find "$work" -name x)" ]
}

secrets() {
  sandbox
  playbook "$here/secrets.yml" -vvvv -e secret=hunter22
  # What was given with -e is shown at -vvvv by Ansible itself; what was made of it must not be.
  if grep -nE 'hunter22-(slack|password|variable)' "$work/log"; then
    echo "a secret was printed"
    return 1
  fi
}

article_flow() {
  sandbox
  article get -e "env=prod repo=backend-a,backend-b,backend-c,frontend dump_path=$work"
  says '"2019-06-06",'
  nothing_left
  date=$(python3 -c 'import json, sys; print(sorted(json.load(open(sys.argv[1]))["rollbacks"])[-2])' "$work/rollback.json")
  [ "$date" = 2019-06-06 ]

  echo "--- check mode"
  article run -e "env=master date=$date dump_path=$work" --check --diff
  says '^\+/ds/prod/shop/frontend .*frontend:11-master'
  running frontend:12-master
  nothing_left

  echo "--- run"
  slack=$(sed -n 's/^ *webhook_url = "\(.*\)"$/\1/p' "$work/.rollback-sandbox/policy.hcl")
  article run -e "env=master date=$date dump_path=$work slack=$slack"
  told
  says 'changed=1 .*failed=0'
  running frontend:11-master
  running backend-b:10-master
  nothing_left
}

article_again() {
  article run -e "env=prod date=2019-06-06 dump_path=$work"
  says 'changed=0 .*failed=0'
  nothing_left
}

article_failure() {
  (cd "$work" && "$program" sandbox up --fail frontend@10-master)
  if article run -e "env=prod date=2019-06-05"; then
    echo "it should have failed"
    return 1
  fi
  says 'put back'
  says '"?rc"?: 3'
  running frontend:11-master
  running backend-a:11-master
  nothing_left
}

article_without_date() {
  if article run -e "env=prod"; then
    echo "it should have failed"
    return 1
  fi
  says 'Say when to go back to'
  nothing_left
}

download_with_checksum() {
  article get -e "env=prod rollback_binary_src= rollback_binary_url=file://$program rollback_binary_checksum=sha256:$(sha256sum "$program" | cut -d' ' -f1)"
  says '"2019-06-06",'
  if article get -e "env=prod rollback_binary_src= rollback_binary_url=file://$program"; then
    echo "a download without a checksum should have failed"
    return 1
  fi
  says 'set rollback_binary_checksum'
  nothing_left
}

unfinished() { # an operation runs on the sandbox's production
  local status
  status=$("$program" status -f "$work/.rollback-sandbox/policy.hcl" --env prod --json)
  grep -q '"outcome": "unfinished"' <<<"$status"
}

abort() { # SIGNAL WHOM: "group" as a terminal does it, or "one" process
  # The release never becomes healthy, so that there is time to abort; and too much time for the test to pass without.
  sandbox --fail frontend@11-master
  sed -i 's/timeout = "6s"/timeout = "300s"/' .rollback-sandbox/policy.hcl
  # A job in the background of a script ignores the signal of Ctrl-C, and has no group of its own; Python puts that right.
  python3 -c 'import os, signal, sys; os.setsid(); signal.signal(signal.SIGINT, signal.default_int_handler); os.execvp(sys.argv[1], sys.argv[1:])' \
    ansible-playbook -i hosts.ini -e "work=$work" -e "rollback_bin=$program" "$here/abort.yml" &
  local pid=$!
  for _ in $(seq 300); do unfinished && break; sleep 0.1; done
  case $2 in
    group) kill -s "$1" -- "-$pid" ;;
    one) kill -s "$1" "$pid" ;;
  esac
  if wait "$pid"; then
    echo "it should have failed"
    return 1
  fi
  for _ in $(seq 300); do unfinished || break; sleep 0.1; done
  if unfinished; then
    echo "the signal did not arrive"
    # Nothing may go on for longer than the test.
    "$program" cancel -f .rollback-sandbox/policy.hcl --env prod
    return 1
  fi
  "$program" history -f .rollback-sandbox/policy.hcl --env prod --json
  says '"outcome": "(interrupted|restored)"'
  running frontend:12-master
  running backend-a:12-master
}

abort_by_interrupt() { abort INT group; }
abort_by_term() { abort TERM one; }

check "modules: get, plan, check mode, run, run again, failure, undo" the_modules
check "modules: bad input" bad_input
check "modules: hostile texts in every parameter" hostile_texts
check "modules: secrets are never printed" secrets
check "binary module: without Python on the host" binary_module
check "role: the article's flow" article_flow
check "role: run again changes nothing" article_again
check "role: a failure puts everything back" article_failure
check "role: no date" article_without_date
check "role: a download needs a checksum" download_with_checksum
check "abort: Ctrl-C restores" abort_by_interrupt
check "abort: TERM restores" abort_by_term

echo "integration: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
