#!/usr/bin/env bash
# Checks the Go code: format, linters, go.mod. Arguments: the test-only modules.
# All checks run, so that one reading shows everything there is to mend.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0

unformatted=$(bin/gofumpt -l .)
if [ -n "$unformatted" ]; then
  printf 'lint: not gofumpt-formatted (run bin/gofumpt -w):\n%s\n' "$unformatted" >&2
  failed=1
fi

go mod tidy -diff || { echo "lint: go.mod or go.sum is not tidy: run go mod tidy" >&2; failed=1; }

# The linter runs go vet's analysers too, on the module; see .golangci.yml.
bin/golangci-lint run ./... || failed=1
for module in "$@"; do
  (cd "$module" && go vet ./... && go mod tidy -diff) || { echo "lint: module $module" >&2; failed=1; }
done
exit "$failed"
