#!/usr/bin/env bash
#
# Print the version of a package that is built from here, as Debian sorts them:
#
#   1.2.0~git345.0123abc   345 commits; 1.2.0, on top of the changelog, comes later
#   1.2.0~rc1              the tag v1.2.0-rc1
#   1.2.0                  the tag v1.2.0
#   1.2.0+6.0123abc        six commits after it
#
# Where files differ from the last commit, ".dirty" follows.

set -euo pipefail
cd "$(dirname "$0")/.."

tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
if [[ -n $tag ]]; then
	version=${tag#v}
	version=${version/-/\~}
	after=$(git rev-list --count "$tag..HEAD")
	((after == 0)) || version+=+$after.$(git rev-parse --short=7 HEAD)
else
	next=$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)
	version=$next~git$(git rev-list --count HEAD).$(git rev-parse --short=7 HEAD)
fi
[[ -z $(git status --porcelain) ]] || version+=.dirty
printf '%s\n' "$version"
