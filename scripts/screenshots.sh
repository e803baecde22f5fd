#!/usr/bin/env bash
# Writes pictures of the main pages, filled with golden data, to screenshots/:
# light and dark, desktop and phone, and in Chinese.
set -euo pipefail
cd "$(dirname "$0")/.."

export DMPOOL_BROWSER="${DMPOOL_BROWSER:-/usr/bin/chromium-headless-shell}"
export DMPOOL_TEST_ALL=1 DMPOOL_SCREENSHOTS="$PWD/screenshots"
rm -rf "$DMPOOL_SCREENSHOTS"
mkdir -p "$DMPOOL_SCREENSHOTS"
go test -timeout 15m -count=1 -tags browser -run '^Test(Pages|Setup|SignInPages|Settings)InBrowser$' ./webui
echo "$(find "$DMPOOL_SCREENSHOTS" -name '*.png' | wc -l) pictures in $DMPOOL_SCREENSHOTS"
