#!/usr/bin/env bash
# Starts the newest image of dist/ in an emulated PC and runs one of the tests of
# cmd/dmpool-image with it; before, makes the image once more and compares the two.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(scripts/deb-version.sh)
DMPOOL_IMAGE=$PWD/dist/dmpool-$version-amd64.img.zst
DMPOOL_BITCOIND="$(scripts/bitcoind.sh)"
export DMPOOL_IMAGE DMPOOL_BITCOIND

again=$(mktemp --suffix=.img.zst)
trap 'rm -f "$again"' EXIT
scripts/image.sh --again "$again"
cmp "$DMPOOL_IMAGE" "$again" || { echo "image-test: two images of one root file system differ" >&2; exit 1; }

go test -timeout 0 -count=1 -tags image -run "^$1\$" -v ./cmd/dmpool-image
