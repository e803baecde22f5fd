#!/usr/bin/env bash
#
# Write the list of everything that the programs are made of, CycloneDX in JSON, to
# standard output: Go modules, the standard library, and SQLite, which is C inside
# one of the modules. The same commit gives the same bytes.
#
#   scripts/sbom.sh VERSION

set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: scripts/sbom.sh VERSION}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The tool is a module of its own, so that its go.sum pins all that it is made of.
go build -C packaging/sbom -o "$scratch/cyclonedx-gomod" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
go mod download
if ! "$scratch/cyclonedx-gomod" mod -json -licenses -std -noserial -output "$scratch/bom.json" . 2>"$scratch/log"; then
	cat "$scratch/log" >&2
	exit 1
fi

header=$(go list -m -f '{{.Dir}}' github.com/mattn/go-sqlite3)/sqlite3-binding.h
sqlite=$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)"$/\1/p' "$header")
[[ $sqlite =~ ^3\.[0-9.]+$ ]] || { echo "sbom.sh: $header does not tell the version of SQLite" >&2 && exit 1; }

jq --arg version "$version" --arg sqlite "$sqlite" \
	--arg when "$(date --utc --date="@$(git log -1 --format=%ct)" +%FT%TZ)" \
	--from-file packaging/sbom/complete.jq "$scratch/bom.json"
