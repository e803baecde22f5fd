#!/usr/bin/env bash
# Kills a mining pool ROUNDS times and compares what its miners were told with
# what is stored. SEED repeats a run's plan.
set -euo pipefail
cd "$(dirname "$0")/.."

export ROUNDS="${ROUNDS:-1000}"
go test -timeout 60m -count=1 -tags torture -run '^TestTorture$' -v ./cmd/dmpool
