#!/usr/bin/env bash
# Measures the Stratum server beside a bare echo server and prints one line of
# JSON (see cmd/stratumbench). Arguments go to the program: -quick, -rate, -dir, …
# The node is $DMPOOL_BITCOIND, by default the one of scripts/bitcoind.sh; an
# empty value takes a fake one.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "machine: $(awk -F ': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(uname -r), $(go version | cut -d' ' -f3)" >&2
export DMPOOL_BITCOIND="${DMPOOL_BITCOIND-$(scripts/bitcoind.sh)}"
program="$(mktemp)"
trap 'rm -f "$program"' EXIT
go build -trimpath -o "$program" ./cmd/stratumbench
"$program" "$@"
