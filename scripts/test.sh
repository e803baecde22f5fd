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

# stage TITLE: what begins now.
stage() {
	title="$1"
	printf '== %s\n' "$title"
}

# lane NAME: run a function that has stages; where one fails, say which.
lane() {
	trap '[ $? -eq 0 ] || printf "test: failed in the stage: %s\n" "$title"' EXIT
	trap 'trap - EXIT; exit 143' TERM # stopped because of the other lane
	"$1"
}

# Most of this is computed. SQLite, a quarter of what there is to compile, is C
# and knows no race detector: it does with less optimisation. More packages than
# processors run at a time, because some of them wait; the longest first, so that none
# of these runs alone at the end.
computes() {
	renice -n 5 -p "$BASHPID" >/dev/null
	stage "unit, property and real-node tests, with -race, files in $memory"
	export CGO_CFLAGS="-O1"
	GOTMPDIR="${GOTMPDIR:-${TMPDIR:-/tmp}}" TMPDIR="$memory" go test -race -p "$(($(nproc) + 1))" -timeout 12m \
		./webui ./pool/payout ./appliance ./pool ./...

	stage "a mining pool that is killed again and again"
	go test -race -timeout 5m -count=1 -tags torture -run '^TestTorture$' -v ./cmd/dmpool

	unset CGO_CFLAGS
	stage "every page in a real browser: two languages, light and dark, desktop and phone, and axe"
	go test -timeout 8m -count=1 -tags browser -run 'InBrowser$' ./webui
}

# Most of this is waiting, for blocks and for a machine that boots.
waits() {
	stage "from an empty directory to a confirmed payout, in a real browser"
	go test -timeout 12m -count=1 -tags e2e -run '^TestE2E' -v ./cmd/dmpool

	# Root alone can boot a container, and not in every container; this stage is the
	# only one that a machine may lack what it takes for.
	stage "our units on a real systemd, with the real node, in a container"
	local trixie=""
	if [ "$(id -u)" -ne 0 ]; then
		echo "skipped: only root can boot a container"
	elif ! trixie="$(scripts/trixie.sh)"; then
		echo "skipped: there is no Debian 13 to boot (scripts/trixie.sh says why above)"
	elif ! systemd-nspawn --quiet --directory="$trixie" --read-only --private-network --register=no --keep-unit /bin/true; then
		echo "skipped: systemd-nspawn cannot run here (its reason is above)"
	else
		# The programs that are compiled already; make deb builds its own.
		mkdir "$scratch/programs"
		go build -ldflags '-s -w' -o "$scratch/programs" ./cmd/dmpool ./cmd/dmpool-node
		DMPOOL_DEB="$(DEB_PROGRAMS="$scratch/programs" DEB_OUT="$scratch/programs" scripts/deb.sh)"
		export DMPOOL_TRIXIE="$trixie" DMPOOL_DEB
		go test -timeout 8m -count=1 -tags nspawn -run '^TestOnSystemd$' ./cmd/dmpool-node
		stage "the package: installed, set up, healthy; all of its life is in make deb-test"
		go test -timeout 5m -count=1 -tags nspawn -run '^TestInstall$' ./packaging
	fi
}

# The two run side by side, what waits before what computes when both want a
# processor, and its output comes whole at the end. Each is a process group of its
# own (set -m), so that the first failure stops everything.
set -m
scratch="$(mktemp -d)"
lane waits >"$scratch/waits" 2>&1 </dev/null &
waiting=$!
lane computes </dev/null &
computing=$!
trap 'kill -- "-$waiting" "-$computing" 2>/dev/null || true; rm -rf "$scratch"' EXIT

failed=0
wait -n || failed=$?
[ "$failed" -ne 0 ] || wait -n || failed=$?
if [ "$failed" -ne 0 ]; then
	kill -- "-$waiting" "-$computing" 2>/dev/null || true
	wait
fi
cat "$scratch/waits"
exit "$failed"
