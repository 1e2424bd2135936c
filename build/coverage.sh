#!/usr/bin/env bash
# Says how much of core/ the tests reach, and fails below the threshold.
#
#   build/coverage.sh PROFILE PERCENT
#
# One statement counts as reached if any test of any package reached it.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly profile=${1:?usage: build/coverage.sh PROFILE PERCENT} threshold=${2:?usage: build/coverage.sh PROFILE PERCENT}

if [ ! -d core ]; then
  echo "coverage: no core/ yet"
  exit 0
fi
if [ ! -s "$profile" ]; then
  echo "coverage: no profile $profile: run \`make test\`" >&2
  exit 1
fi

# A profile line is FILE:FROM,TO STATEMENTS COUNT; a block stands there once for
# every test binary that holds it.
awk -v threshold="$threshold" '
  /^mode:/ { next }
  { size[$1] = $2; if ($3 > 0) hit[$1] = 1 }
  END {
    for (block in size) {
      file = block; sub(/:[^:]*$/, "", file)
      package = file; sub(/\/[^\/]*$/, "", package); sub(/^.*\/core\//, "core/", package); sub(/^.*\/core$/, "core", package)
      all[package] += size[block]; total += size[block]
      if (block in hit) { reached[package] += size[block]; covered += size[block] }
    }
    if (total == 0) { print "coverage: core/ has no statements yet"; exit 0 }
    for (package in all) printf "coverage: %6.1f %%  %s\n", 100 * reached[package] / all[package], package | "sort -k4"
    close("sort -k4")
    share = 100 * covered / total
    printf "coverage: %6.1f %%  of the %d statements of core/; asked for: %s %%\n", share, total, threshold
    if (share < threshold) { print "coverage: too low" > "/dev/stderr"; exit 1 }
  }' "$profile"
