#!/usr/bin/env bash
# Generates the Go code of the plugin protocol from sdk/proto.
#
#   build/generate.sh FOLDER   writes it below FOLDER, where "." is the repository
#   build/generate.sh --check  says whether the committed code is up to date
#
# It needs buf and the two generators in bin/; `make generate` sees to that.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly package=sdk/internal/pluginpb

protos=(sdk/proto/rollback/plugin/v1/*.proto)
if [ ! -e "${protos[0]}" ]; then
  echo "generate: no .proto files below sdk/proto yet"
  exit 0
fi

if [ "${1:?usage: build/generate.sh FOLDER|--check}" = --check ]; then
  fresh=$(mktemp -d)
  trap 'rm -rf "$fresh"' EXIT
  bin/buf generate --output "$fresh"
  # Only generated files are compared: a hand-written doc.go may stand beside them.
  if ! diff <(cd "$package" && sha256sum ./*.pb.go) <(cd "$fresh/$package" && sha256sum ./*.pb.go); then
    echo "generate: $package is not what sdk/proto gives: run \`make generate\` and commit the result" >&2
    exit 1
  fi
  exit 0
fi

# A message file that was removed must not leave its code behind.
[ "$1" = . ] && rm -f "$package"/*.pb.go
bin/buf generate --output "$1"
