#!/usr/bin/env bash
#
# Build dist/dmpool_VERSION_ARCH.deb out of what git knows here, changed files
# included, in a scratch folder.
#
#   scripts/deb.sh [amd64|arm64]
#
# CORE_TARBALL   an official Bitcoin Core, bitcoin-VERSION-PLATFORM.tar.gz, to bring
#                along; its SHA-256 has to be one that the program knows
# CORE_PINS      other releases than those, for tests: a JSON file
# DEB_PROGRAMS   a folder with dmpool and dmpool-node, built already, for tests
# DEB_OUT        where the package goes instead of dist
#
# Nothing is fetched but Go modules that are not in Go's cache yet.

set -euo pipefail
cd "$(dirname "$0")/.."

arch=${1:-$(dpkg --print-architecture)}
out=$(mkdir -p "${DEB_OUT:-dist}" && cd "${DEB_OUT:-dist}" && pwd)

version=$(scripts/deb-version.sh)
stamp=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH=$stamp

# What dh takes away with $HOME.
GO=$(command -v go)
GOPATH=$(go env GOPATH) GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE)
export GO GOPATH GOCACHE GOMODCACHE
go mod download

scratch=$(mktemp -d "${TMPDIR:-/tmp}/dmpool-deb.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/dmpool
mkdir "$tree"
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' name; do [[ ! -e $name ]] || printf '%s\0' "$name"; done |
	tar -c --null -T - | tar -x -C "$tree"
cp -a "$tree/packaging/debian" "$tree/debian"

# The notes of the release that is being made, under the name of this build.
sed -i -e "1s/([^)]*)/($version)/" "$tree/debian/changelog"
sed -i -e "0,/^ -- /s/^\( -- .*>  \).*/\1$(date --utc --date="@$stamp" --rfc-email)/" "$tree/debian/changelog"
# The program shows them, too (packaging/news.go).
install -D -m 644 -t "$tree/packaging/debian" "$tree/debian/changelog"

if [[ -n ${CORE_TARBALL:-} ]]; then
	CORE_TARBALL=$(readlink -e "$CORE_TARBALL") || { echo "deb.sh: there is no file $CORE_TARBALL" >&2 && exit 1; }
fi
export CORE_TARBALL=${CORE_TARBALL:-} CORE_PINS=${CORE_PINS:-}

# -d: Go comes from go.dev, and cross compilers are asked for by their programs.
if ! (cd "$tree" && umask 022 && dpkg-buildpackage --host-arch="$arch" -b -d -uc -us) >"$scratch/log" 2>&1; then
	cat "$scratch/log" >&2
	exit 1
fi

deb=dmpool_${version}_$arch.deb
mv "$scratch/$deb" "$out/$deb"
echo "$out/$deb"
