#!/usr/bin/env bash
# Runs every test under the race detector, with the real node and the real
# browser: where one of them is missing the run fails instead of skipping.
set -euo pipefail
cd "$(dirname "$0")/.."

DMPOOL_BITCOIND="$(scripts/bitcoind.sh)"
export DMPOOL_BITCOIND
export DMPOOL_BROWSER="${DMPOOL_BROWSER:-/usr/bin/chromium-headless-shell}"
export DMPOOL_TEST_ALL=1
[ -x "$DMPOOL_BROWSER" ] || { echo "test: no browser at $DMPOOL_BROWSER; run scripts/deps.sh test" >&2; exit 1; }

# The nodes of these tests sync a disk many thousand times and are killed, not
# the machine: where there is room, their files are in memory. What follows below
# runs on the disk.
memory=/dev/shm
room="$(df --output=avail -BM "$memory" 2>/dev/null | tail -n 1 | tr -dc 0-9 || true)"
[ "${room:-0}" -ge 4096 ] || memory="${TMPDIR:-/tmp}"

echo "== unit, property and real-node tests, with -race, files in $memory"
GOTMPDIR="${GOTMPDIR:-${TMPDIR:-/tmp}}" TMPDIR="$memory" go test -race -timeout 12m ./...

echo "== a mining pool that is killed again and again"
go test -race -timeout 5m -count=1 -tags torture -run '^TestTorture$' -v ./cmd/dmpool

echo "== from an empty directory to a confirmed payout, in a real browser"
go test -timeout 8m -count=1 -tags e2e -run '^TestE2E' -v ./cmd/dmpool

echo "== every page in a real browser: two languages, light and dark, desktop and phone, and axe"
go test -timeout 8m -count=1 -tags browser -run 'InBrowser$' ./webui

# Root alone can boot a container, and not in every container; this stage is the
# only one that a machine may lack what it takes for.
echo "== our units on a real systemd, with the real node, in a container"
trixie=""
if [ "$(id -u)" -ne 0 ]; then
	echo "skipped: only root can boot a container"
elif ! trixie="$(scripts/trixie.sh)"; then
	echo "skipped: there is no Debian 13 to boot (scripts/trixie.sh says why above)"
elif ! systemd-nspawn --quiet --directory="$trixie" --read-only --private-network --register=no --keep-unit /bin/true; then
	echo "skipped: systemd-nspawn cannot run here (its reason is above)"
else
	# The programs that the tests above have compiled; make deb builds its own.
	programs="$(mktemp -d)"
	trap 'rm -rf "$programs"' EXIT
	go build -ldflags '-s -w' -o "$programs" ./cmd/dmpool ./cmd/dmpool-node
	DMPOOL_DEB="$(DEB_PROGRAMS="$programs" DEB_OUT="$programs" scripts/deb.sh)"
	export DMPOOL_TRIXIE="$trixie" DMPOOL_DEB
	go test -timeout 8m -count=1 -tags nspawn -run '^TestOnSystemd$' ./cmd/dmpool-node
	echo "== the package: installed, set up, healthy; all of its life is in make deb-test"
	go test -timeout 5m -count=1 -tags nspawn -run '^TestInstall$' ./packaging
fi
