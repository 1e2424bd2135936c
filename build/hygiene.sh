#!/usr/bin/env bash
# Checks what no compiler or linter sees: what lies in the repository, and how
# large the built tool is. (Long Go files and imports: internal/floors.)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly largest_file=$((1024 * 1024))        # bytes, of a tracked file
readonly largest_tool=$((60 * 1024 * 1024))   # bytes, of bin/rollback

failed=0
complain() { # WHAT FOUND
  [ -n "$2" ] || return 0
  printf 'hygiene: %s:\n' "$1" >&2
  printf '%s\n' "$2" | head -n 20 | sed 's/^/  /' >&2
  failed=1
}

complain "tracked files over 1 MiB" "$(git ls-files -z | while IFS= read -r -d '' f; do
  [ -f "$f" ] && size=$(stat -c %s "$f") && [ "$size" -gt "$largest_file" ] && echo "$f: $size bytes"
done || true)"
# The brackets keep this file from finding itself.
complain "paths of one machine" \
  "$(git grep -nIE '(^|[^A-Za-z0-9_.-])/(wor[k]|far[m])/' -- . | cut -c1-160 || true)"
complain "unfinished marks: finish it, or describe it in an issue" \
  "$(git grep -nIE '\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b' -- '*.go' '*.sh' '*.mk' '*.proto' '*.py' '*.groovy' '*.yml' '*.yaml' Makefile .ci | cut -c1-160 || true)"
complain "merge conflicts left in a file" "$(git grep -nIE '^(<{7}|>{7}) ' -- . | cut -c1-160 || true)"
complain "scripts that may not be run" "$(git ls-files -s -- 'build/*.sh' .ci/run | grep -v '^100755' || true)"
complain "built files that are tracked" "$(git ls-files -ci --exclude-standard || true)"

if [ -f bin/rollback ]; then
  size=$(stat -c %s bin/rollback)
  printf 'hygiene: bin/rollback has %d.%d MiB\n' $((size / 1048576)) $((size % 1048576 * 10 / 1048576))
  [ "$size" -le "$largest_tool" ] || complain "the tool is too large" "bin/rollback: $size bytes, at most $largest_tool"
fi
[ "$failed" -eq 0 ] && echo "hygiene: fine"
exit "$failed"
