#!/usr/bin/env bash
# Checks that the plugin protocol only grew since the last release: inside v1
# nothing is taken away or changed, so that a plugin of today works with every
# later host.
#
#   build/breaking.sh [REVISION|none]
#
# Without a revision it compares with the newest release tag, or, before the
# first release, with the main branch this checkout was cloned from.
set -euo pipefail
cd "$(dirname "$0")/.."

against=${1:-}
if [ -z "$against" ]; then
  against=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
fi
if [ -z "$against" ] && git rev-parse --verify --quiet origin/main >/dev/null; then
  against=origin/main
fi
if [ -z "$against" ] || [ "$against" = none ]; then
  echo "breaking: no release to compare the plugin protocol with"
  exit 0
fi
if [ -z "$(git ls-tree -r --name-only "$against" -- sdk/proto)" ]; then
  echo "breaking: $against has no plugin protocol to compare with"
  exit 0
fi

# An archive of the revision, not a clone of this repository: a checkout may be
# shallow, and the name of a branch may be a remote's.
then=$(mktemp -d)
trap 'rm -rf "$then"' EXIT
git archive "$against" sdk/proto buf.yaml | tar -x -C "$then"
bin/buf breaking --against "$then"
echo "breaking: the plugin protocol keeps what $against promised"
