#!/usr/bin/env bash
# Runs each fuzz target for a short while. Go fuzzes one target at a time.
#
#   build/fuzz.sh TIME      such as 10s, or 2000x for a number of inputs
set -euo pipefail
cd "$(dirname "$0")/.."

readonly fuzztime=${1:?usage: build/fuzz.sh TIME}

failed=0 targets=0
while IFS=: read -r file line; do
  target=${line#func }
  target=${target%%(*}
  targets=$((targets + 1))
  echo "fuzz: $target in $(dirname "$file")"
  go test -run='^$' -fuzz="^$target\$" -fuzztime="$fuzztime" "./$(dirname "$file")" || failed=1
done < <(git grep --untracked -E '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go' || true)
echo "fuzz: $targets targets, $fuzztime each"
exit "$failed"
