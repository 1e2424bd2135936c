#!/usr/bin/env bash
# Follows pages of docs/ to the letter, as somebody new would: build/follow.sh PAGE…
#
# In a clean clone of the last commit, every block of a page that is marked as sh is typed into one shell, in order.
# Its first command that fails ends it. What a page shows as output stands in blocks of another kind.
set -euo pipefail
cd "$(dirname "$0")/.."

clone=$(mktemp -d)
readonly clone
end() {
  [ ! -x "$clone/bin/rollback" ] || (cd "$clone" && bin/rollback sandbox down >/dev/null 2>&1) || true
  rm -rf "$clone"
}
trap end EXIT

passed=0
for page in "$@"; do
  rm -rf "$clone"
  git clone --quiet . "$clone"
  script=$(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page")
  [ -n "$script" ] || { echo "follow: $page has no block of sh" >&2; exit 1; }
  if (cd "$clone" && bash -euo pipefail -c "$script") >"$clone.log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "follow: ok: $page, $(grep -cv '^ *\(#\|$\)' <<<"$script") lines"
  else
    tail -n 40 "$clone.log" | sed 's/^/  /'
    rm -f "$clone.log"
    echo "follow: $page cannot be followed" >&2
    echo "$passed passed, 1 failed"
    exit 1
  fi
  rm -f "$clone.log"
done
echo "$passed passed, 0 failed"
