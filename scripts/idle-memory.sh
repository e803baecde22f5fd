#!/usr/bin/env bash
# Prints the resident memory of an idle daemon, without its bitcoind.
set -euo pipefail
cd "$(dirname "$0")/.."

node="$(scripts/bitcoind.sh)"
dir="$(mktemp -d)"
go build -trimpath -o "$dir/dmpool" ./cmd/dmpool
trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

echo '{"network":"practice","operator":{"password":"Only for this measurement!"}}' |
	"$dir/dmpool" setup --data-dir "$dir/data" --answers - >/dev/null
"$dir/dmpool" serve --data-dir "$dir/data" --bitcoind "$node" --http 127.0.0.1:0 --stratum 127.0.0.1:0 2>/dev/null &
pid=$!
sleep 20
awk '/VmRSS/ { printf "idle daemon: %.1f MiB resident\n", $2 / 1024 }' "/proc/$pid/status"
