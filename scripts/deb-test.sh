#!/usr/bin/env bash
# Builds the package, twice, and puts it through everything on a booted Debian 13:
# install, mine, pay, upgrade, go back, remove, purge; kill it in the middle, fill the
# disk, take polkit away. Needs root; see packaging/boot_test.go.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "deb-test: only root can boot a container" >&2; exit 1; }
DMPOOL_BITCOIND="$(scripts/bitcoind.sh)"
DMPOOL_TRIXIE="$(scripts/trixie.sh)"
DMPOOL_DEB="$(scripts/deb.sh)"
export DMPOOL_BITCOIND DMPOOL_TRIXIE DMPOOL_DEB DMPOOL_TEST_ALL=1
lintian --allow-root --fail-on error,warning "$DMPOOL_DEB"
go test -timeout 40m -count=1 -tags nspawn -v ./packaging
