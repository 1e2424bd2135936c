#!/usr/bin/env bash
# Looks for known vulnerabilities in what the code really calls.
#
# Where the vulnerability database cannot be reached it says so and succeeds: a
# machine without internet can build and test, but it cannot know.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp)
trap 'rm -f "$out"' EXIT
code=0
bin/govulncheck "${@:-./...}" >"$out" 2>&1 || code=$?
if [ "$code" -ne 0 ] && grep -qiE 'fetching vulnerabilities|dial tcp|no such host|connection refused|proxyconnect|TLS handshake|i/o timeout' "$out" && ! grep -q '^Vulnerability #' "$out"; then
  echo "vulncheck: skipped, the vulnerability database cannot be reached from here:"
  tail -n 1 "$out" | cut -c1-200
  exit 0
fi
cat "$out"
exit "$code"
