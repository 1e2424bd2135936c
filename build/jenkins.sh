#!/usr/bin/env bash
# Checks the front doors of other tools: the Jenkins pipeline and its shared-library step (jenkins/), and the workflows
# for GitHub and GitLab (examples/ci). They are linted, and really executed, with the real binary, against sandboxes on
# this machine. No Jenkins runs here: a stub of its steps does, stricter than they are (jenkins/test/jenkinslike).
#
# npm's packages are installed into .cache/npm; groovy and Java come with `make debian-packages`. $ROLLBACK is the binary;
# an argument chooses scenarios by a part of their name.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly lint_version=16.2.0 yaml_version=2.9.1
readonly only=${1:-}
rollback=$(realpath "${ROLLBACK:-bin/rollback}")
[ -x "$rollback" ] || { echo "jenkins: there is no $rollback; run make build" >&2; exit 1; }

# java17 prints the folder of a Java that Debian's groovy runs on: 8 to 17.
java17() {
  local home
  for home in ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*; do
    [ -x "$home/bin/java" ] || continue
    "$home/bin/java" -version 2>&1 | grep -qE '"(1\.8|9|1[0-7])[."]' || continue
    echo "$home"
    return
  done
  return 1
}

install_missing() {
  java17 >/dev/null || { echo "jenkins: Debian's groovy needs a Java from 8 to 17: set JAVA_HOME" >&2; exit 1; }
  if [ "$(cat .cache/npm/jenkins-versions 2>/dev/null)" != "$lint_version $yaml_version" ]; then
    echo "jenkins: installing npm-groovy-lint $lint_version and yaml $yaml_version into .cache/npm"
    mkdir -p .cache/npm
    npm install --silent --prefix .cache/npm --no-audit --no-fund \
      "npm-groovy-lint@$lint_version" "yaml@$yaml_version" >/dev/null
    echo "$lint_version $yaml_version" >.cache/npm/jenkins-versions
  fi
}

passed=0 failed=0

# verdict NAME CODE: counts one check.
verdict() {
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
    echo "  ok   $1"
  else
    failed=$((failed + 1))
    echo "  FAIL $1"
  fi
}

# count FILE: adds up what a runner says in its last line, "NAME: N passed, N failed"; a runner that does not is broken.
count() {
  local said
  cat "$1"
  said=$(tail -n 1 "$1" | sed -nE 's/^[A-Za-z]+: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p')
  if [ -z "$said" ]; then
    verdict "$1 came to its end" 1
    return
  fi
  passed=$((passed + ${said% *})) failed=$((failed + ${said#* }))
}

# steps FILE prints the part that both front doors of Jenkins have in common.
steps() {
  sed -n '/^\/\/ ---- the steps:/,$p' "$1"
}

same_steps() {
  [ -n "$(steps jenkins/Jenkinsfile)" ] && diff <(steps jenkins/Jenkinsfile) <(steps jenkins/vars/rollback.groovy)
}

# lint copies the two files: what lies beside them in the tree is no pipeline.
lint() {
  mkdir -p "$scratch/lint/vars"
  cp jenkins/Jenkinsfile "$scratch/lint/"
  cp jenkins/vars/rollback.groovy "$scratch/lint/vars/"
  .cache/npm/node_modules/.bin/npm-groovy-lint --noserver --path "$scratch/lint" \
    --files '**/{Jenkinsfile,*.groovy}' --config recommended-jenkinsfile --failon warning --loglevel warning
}

# shellcheck source=build/node.sh
. build/node.sh
install_missing
JAVA_HOME=$(java17)
# They do not live long enough for the better compiler.
export JAVA_HOME JAVA_OPTS=-XX:TieredStopAtLevel=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

scenarios() {
  mkdir "$scratch/$1"
  groovy -cp jenkins/test jenkins/test/Scenarios.groovy jenkins "$rollback" "$scratch/$1" "$1" ${only:+"$only"} \
    >"$scratch/$1.txt" 2>&1 || :
}

# Both front doors at once: they mostly wait.
scenarios Jenkinsfile &
scenarios library &
mkdir "$scratch/ci"
NODE_PATH=$PWD/.cache/npm/node_modules node jenkins/test/ci.mjs examples/ci "$rollback" "$scratch/ci" \
  >"$scratch/ci.txt" 2>&1 &

code=0
same_steps || code=$?
verdict "Jenkinsfile and vars/rollback.groovy have the same steps" "$code"
code=0
lint || code=$?
verdict "npm-groovy-lint $lint_version has nothing to say" "$code"

wait
count "$scratch/Jenkinsfile.txt"
count "$scratch/library.txt"
count "$scratch/ci.txt"

if [ "$failed" -gt 0 ]; then
  echo "jenkins: $failed of $((passed + failed)) failed" >&2
  exit 1
fi
echo "$passed passed, $failed failed"
