#!/usr/bin/env bash
# Builds the package, twice, and puts it through everything on a booted Debian 13:
# install, mine, pay, upgrade, go back, remove, purge; kill it in the middle, fill the
# disk, take polkit away; follow the README. Needs root; see packaging/boot_test.go.
# DMPOOL_SCREENSHOTS=folder takes the README's pictures, too.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "deb-test: only root can boot a container" >&2; exit 1; }
DMPOOL_BITCOIND="$(scripts/bitcoind.sh)"
DMPOOL_TRIXIE="${DMPOOL_TRIXIE:-$(scripts/trixie.sh)}"
DMPOOL_DEB="$(scripts/deb.sh)"
export DMPOOL_BITCOIND DMPOOL_TRIXIE DMPOOL_DEB DMPOOL_TEST_ALL=1
export DMPOOL_BROWSER="${DMPOOL_BROWSER:-/usr/bin/chromium-headless-shell}"
lintian --allow-root --fail-on error,warning "$DMPOOL_DEB"
go test -timeout 70m -count=1 -tags nspawn -v ./packaging
