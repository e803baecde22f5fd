#!/usr/bin/env bash
# Lets the CPU miner, all simulated miners and an independent client mine side by
# side on the practice chain for DURATION, and prints a table.
set -euo pipefail
cd "$(dirname "$0")/.."

DMPOOL_BITCOIND="$(scripts/bitcoind.sh)"
export DMPOOL_BITCOIND DURATION="${DURATION:-10m}"
go test -timeout 0 -count=1 -tags e2e,soak -run '^TestSoak$' -v ./cmd/dmpool
