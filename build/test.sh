#!/usr/bin/env bash
# Runs all tests: of the module and of the test-only modules in test/, with the
# race detector, in random order. Arguments go to `go test`.
#
# The coverage of core/ is collected from all tests of the module, wherever they
# stand, into .cache/coverage.out; build/coverage.sh reads it.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly gotestsum=$PWD/bin/gotestsum
readonly flags=(-race -shuffle=on -timeout=15m "$@")

mkdir -p .cache
rm -f .cache/coverage.out
coverage=()
if [ -d core ]; then
  coverage=(-coverpkg=./core/... -covermode=atomic -coverprofile=.cache/coverage.out)
fi

failed=0
for gomod in test/*/go.mod; do
  [ -e "$gomod" ] || continue
  module=$(dirname "$gomod")
  echo "test: module $module"
  (cd "$module" && "$gotestsum" --format pkgname --hide-summary=skipped -- "${flags[@]}" ./...) || failed=1
done

echo "test: the module"
"$gotestsum" --format pkgname --format-hide-empty-pkg --hide-summary=skipped -- "${flags[@]}" "${coverage[@]}" ./... || failed=1
exit "$failed"
