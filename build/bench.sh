#!/usr/bin/env bash
# Runs all benchmarks, one package at a time so that none disturbs another.
#
#   build/bench.sh TIME      per benchmark, such as 1s, or 5x for a number of runs
set -euo pipefail
cd "$(dirname "$0")/.."

readonly benchtime=${1:?usage: build/bench.sh TIME}

mapfile -t packages < <(git grep --untracked -lE '^func Benchmark[A-Za-z0-9_]*\(' -- '*_test.go' | xargs -r -n1 dirname | sort -u | grep -v '^test/')
if [ ${#packages[@]} -eq 0 ]; then
  echo "bench: no benchmarks yet"
  exit 0
fi
go test -p 1 -run='^$' -bench=. -benchmem -benchtime="$benchtime" "${packages[@]/#/./}"
