#!/usr/bin/env bash
# Builds the Ansible collection and tests it: its documentation, ansible-lint
# (profile production), ansible-test sanity, the unit tests, and real
# ansible-playbook against the sandbox.
#
# Wants python3 with venv (`make debian-packages`) and the program: ROLLBACK, or bin/rollback. Everything is made
# under .cache: nothing else of the checkout is written, nor the user's home.
# The last line is "N passed, M failed".
set -euo pipefail
cd "$(dirname "$0")/.."

readonly root=$PWD
readonly cache=$root/.cache/ansible
readonly collection=ansible_collections/rollback_project/rollback
program=$(realpath "${ROLLBACK:-bin/rollback}")
[ -x "$program" ] || { echo "ansible: there is no $program: run make build first, or set ROLLBACK" >&2; exit 1; }

# The environment, one for each set of pinned versions. A marker is written
# last: one that was broken off is made anew.
requirements=$(sha256sum ansible/requirements-dev.txt | cut -c1-12)
readonly venv=$root/.cache/ansible-venv/$requirements
if [ ! -e "$venv/complete" ]; then
  echo "ansible: making the environment (once)"
  rm -rf "$root/.cache/ansible-venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r ansible/requirements-dev.txt
  touch "$venv/complete"
fi
python_version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# Ansible and its tools write into the home folder: they get one of their own,
# without the settings of whoever runs this.
unset "${!ANSIBLE_@}" "${!ROLLBACK_@}"
export HOME=$cache/home PATH=$venv/bin:$PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export ANSIBLE_COLLECTIONS_PATH=$cache/collections ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false
rm -rf "$cache/source" "$cache/collections" "$cache/built" "$cache/log"
mkdir -p "$cache/source/${collection%/*}" "$cache/collections" "$cache/built" "$cache/home/.ansible/test/cache" "$cache/log"
cp -R ansible "$cache/source/$collection"
# Tools look upward for a git repository, where this folder would be ignored.
export GIT_CEILING_DIRECTORIES=$cache

# ansible-test brings pip into its environments with a script that it downloads
# from a server of its own, unless it finds it here. Python brings pip as well.
cat >"$cache/home/.ansible/test/cache/get_pip_24_2.py" <<'PY'
import subprocess
import sys


def run(*args):
    subprocess.check_call((sys.executable, "-m") + args, stdout=subprocess.DEVNULL)


run("ensurepip")
run("pip", "install", "--quiet", "--disable-pip-version-check", *[a for a in sys.argv[1:] if "==" in a])
PY

passed=0
failed=0
step() { # NAME COMMAND...: its output is shown when it fails
  local name=$1 start=$SECONDS log
  log=$cache/log/${name//[^a-z]/-}
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ansible: ok      $name ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    echo "ansible: FAILED  $name"
    sed 's/^/  /' "$log" | tail -n 80
  fi
}

build() {
  ansible-galaxy collection build "$cache/source/$collection" --output-path "$cache/built" &&
    ansible-galaxy collection install --offline --no-deps "$cache"/built/*.tar.gz -p "$cache/collections" || return 1
  # What is for developers alone stays out of what users install.
  [ ! -e "$cache/collections/$collection/tests/integration" ]
}

documentation() { # MODULE
  local text
  text=$(ansible-doc -t module "rollback_project.rollback.$1") || return 1
  grep -q EXAMPLES <<<"$text" && grep -q 'RETURN VALUES' <<<"$text"
}

lint() {
  (cd "$cache/source/$collection" && ansible-lint --offline --profile production --strict --nocolor)
}

# pep8, pylint and the like need no container; the tests of PowerShell and of
# shell scripts skip themselves where their tools are not. ansible-test wants what
# it tests outside of what git ignores, so it gets a copy in a temporary folder.
sanity() {
  local folder status=0
  folder=$(mktemp -d)
  mkdir -p "$folder/${collection%/*}"
  cp -R "$cache/collections/$collection" "$folder/$collection"
  (cd "$folder/$collection" && ansible-test sanity --color no --python "$python_version") || status=$?
  rm -rf "$folder"
  return "$status"
}

unit() {
  PYTHONPATH=$cache/collections pytest -q -p no:cacheprovider "$cache/collections/$collection/tests/unit"
}

integration() {
  ROLLBACK=$program "$root/ansible/tests/integration/run.sh"
}

step "build and install" build
for module in points plan apply undo info; do
  step "ansible-doc $module" documentation "$module"
done
step "ansible-doc role" ansible-doc -t role rollback_project.rollback.rollback
step "ansible-lint" lint
step "ansible-test sanity" sanity
step "unit tests" unit
step "integration" integration
grep -h '^ok\|^integration:' "$cache/log/integration" | sed 's/^/ansible:   /' || true

# The tests within those steps count, not the steps that hold them.
units=$(sed -n 's/^.*\b\([0-9]\+\) passed.*$/\1/p' "$cache/log/unit-tests" | tail -n 1)
runs=$(sed -n 's/^integration: \([0-9]\+\) passed.*$/\1/p' "$cache/log/integration" | tail -n 1)
echo "$((passed + ${units:-0} + ${runs:-0})) passed, $failed failed"
[ "$failed" -eq 0 ]
