#!/usr/bin/env bash
# Prints the figures that the README quotes, measured on this machine in one run.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "machine: $(awk -F ': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(go version | cut -d' ' -f3)"
go test -run '^$' -bench 'ShareCheck' -cpu 1 -benchtime 2s ./pool/work
go test -run '^$' -bench 'Submit' -benchtime 2s ./pool/stratum
go test -run '^$' -bench 'GroupCommit' -benchtime 2s ./pool/shares
go test -run '^$' -bench 'WindowYear|RunningYear' -cpu 1 -benchtime 5x ./pool/shares
go test -run '^$' -bench 'Split' -cpu 1 -benchtime 2s ./pool/ledger
go test -run '^$' -bench 'Check' -cpu 1 -benchtime 3x ./pool/ledger
go test -run '^$' -bench 'Send200' -benchtime 20x ./pool/payout
go test -run '^$' -bench 'Hash' -cpu 1 -benchtime 2s ./pool/cpuminer
scripts/idle-memory.sh
