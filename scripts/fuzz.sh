#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other.
#
#   scripts/fuzz.sh [SECONDS]     each; 60 if nothing is said
#
# What a target finds stays in its package's testdata/fuzz, where `go test` tries
# it again for ever.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
targets=0
while read -r package dir; do
	# Building a test takes longer than looking into its files.
	grep -qs '^func Fuzz' "$dir"/*_test.go || continue
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
		echo "== $target, $package"
		# To make each new input as small as can be would take most of the time.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${seconds}s" -fuzzminimizetime 10x "$package"
		targets=$((targets + 1))
	done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
((targets > 0)) || { echo "fuzz: no targets" >&2 && exit 1; }
echo "fuzz: $targets targets, ${seconds} s each, nothing found"
