#!/usr/bin/env bash
# A rollback from start to end: a sandbox on this machine, the dates one can go back to, the plan, the rollback, what
# runs afterwards and what Slack was told. It leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH="$PWD/bin:$PATH"
folder=$(mktemp -d)
cd "$folder"
export USER=${USER:-you} LANG=${LANG:-C.UTF-8}

finish() {
  rollback sandbox down >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap finish EXIT

# run shows a command as one would type it, and runs it.
run() {
  local shown="" word
  for word in "$@"; do
    [[ $word != *" "* ]] || word="'$word'"
    shown+=" $word"
  done
  printf '\n$%s\n' "$shown"
  "$@"
}

# A policy is found as ./policy.hcl; the sandbox writes one into its folder.
run rollback sandbox up --speed 4
cp .rollback-sandbox/policy.hcl .

run rollback points
run rollback plan --to -1
run rollback apply --to -1 --auto-approve --reason 'the frontend is broken' --ticket OPS-123
run rollback sandbox status

# A release that never becomes healthy: everything is put back.
run rollback sandbox up --fail frontend@10-master
failed=0
run rollback apply --to -1 --auto-approve --quiet || failed=$?
[ "$failed" -eq 3 ] || { echo "demo: the broken release should have been put back (exit code 3), not $failed" >&2; exit 1; }
run rollback status

run rollback sandbox down
