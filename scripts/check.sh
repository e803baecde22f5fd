#!/usr/bin/env bash
# Format, vet, lint, tests and tidiness. Prints what is wrong; silence is good.
set -euo pipefail
cd "$(dirname "$0")/.."

tags=e2e,browser,torture,soak,nspawn

say() { printf '== %s\n' "$1"; }

say gofumpt
unformatted="$(go run "$GOFUMPT" -l cmd appliance packaging pool webui)"
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofumpt -w:\n%s\n' "$unformatted" >&2
	exit 1
fi
say 'go vet'
go vet ./...
go vet -tags "$tags" ./...
say staticcheck
go run "$STATICCHECK" -tags "$tags" ./...
say golangci-lint
go run "$GOLANGCI" run --build-tags "$tags" ./...
say 'go mod tidy'
go mod tidy -diff
say 'go test -race'
go test -race ./...
