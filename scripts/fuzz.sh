#!/usr/bin/env bash
# Run every fuzzer of the module for the given time (10s). Stops at the first finding; the input that found it is then
# in the package's testdata/fuzz, to be committed with the repair.
set -euo pipefail
cd "$(dirname "$0")/.."
each="${1:-10s}"

grep -rEl --include='*_test.go' --exclude-dir=.cache '^func Fuzz[A-Z]' . | xargs -r -n 1 dirname | sort -u | while read -r dir; do
	sed -nE 's/^func (Fuzz[A-Z][A-Za-z0-9_]*)\(.*/\1/p' "$dir"/*_test.go | sort | while read -r name; do
		echo "$dir $name $each"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$each" "$dir" </dev/null
	done
done
