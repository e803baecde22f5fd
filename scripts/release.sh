#!/usr/bin/env bash
#
# Make a release of the commit that is checked out, in dist/release-VERSION.
#
#   scripts/release.sh [--rehearsal] [--skip STEP]...
#
#   tag        the version on top of packaging/debian/changelog is that of a signed
#              tag of this commit, and no file differs from it
#   check      make check
#   test       make test
#   deb-test   make deb-test
#   packages   the packages for amd64 and arm64, both built twice with the same result
#   image      the disk image, twice of the same root file system; needs root
#   sbom       what the programs are made of
#   sign       SHA256SUMS, with the key $RELEASE_KEY out of the caller's keyring
#
# A step that fails ends the release. RELEASE.txt says what was left out. A rehearsal
# needs neither tag nor key and cannot be taken for a release.
#
# RELEASE_KEY   fingerprint of the key that signs
# RELEASE_OUT   another folder; it may not exist yet

set -euo pipefail
cd "$(dirname "$0")/.."

readonly steps=(tag check test deb-test packages image sbom sign)

say() { printf '%s\n' "release.sh: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# --- what is asked for -------------------------------------------------------

rehearsal='' skipped=' '
while (($# > 0)); do
	case $1 in
	--rehearsal) rehearsal=yes skipped+='tag sign ' ;;
	--skip)
		[[ " ${steps[*]} " == *" ${2:-} "* && -n ${2:-} ]] || die "--skip takes one of: ${steps[*]}"
		skipped+="$2 "
		shift
		;;
	*) die "usage: scripts/release.sh [--rehearsal] [--skip STEP]... with the steps ${steps[*]}" ;;
	esac
	shift
done

# wanted tells whether a step is to be made, and says which one it is.
wanted() {
	if [[ $skipped == *" $1 "* ]]; then
		say "-- $1 is skipped"
		return 1
	fi
	say "== $1"
}

# What can be wrong without any work is wrong at once.
if [[ $skipped != *' sign '* ]]; then
	key=${RELEASE_KEY:-}
	[[ $key =~ ^[0-9A-F]{40}$ ]] || die "RELEASE_KEY has to be the fingerprint of a key: 40 characters, without spaces"
	gpg --batch --list-secret-keys "$key" >/dev/null 2>&1 || die "gpg does not have the secret key $key"
fi

version=$(scripts/deb-version.sh)
if wanted tag; then
	differing=$(git status --porcelain)
	[[ -z $differing ]] || die "these files differ from the commit:"$'\n'"$differing"
	tag=$(git describe --tags --exact-match --match 'v[0-9]*' HEAD 2>/dev/null) || die "this commit has no tag of a version, such as v1.2.0"
	git verify-tag "$tag" 2>/dev/null || die "the tag $tag is not signed by a key that gpg knows (git tag --sign $tag)"
	noted=$(dpkg-parsechangelog --file packaging/debian/changelog --show-field Version)
	[[ ${version%%\~*} == "$noted" ]] || die "the tag is $tag, but packaging/debian/changelog ends with $noted"
	[[ $(dpkg-parsechangelog --file packaging/debian/changelog --show-field Distribution) != UNRELEASED ]] ||
		die "packaging/debian/changelog says UNRELEASED"
fi

out=${RELEASE_OUT:-dist/release-$version}
[[ ! -e $out ]] || die "there is $out already; a release is made once"
mkdir -p "$out"
out=$(realpath "$out")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# --- the work ----------------------------------------------------------------

for target in check test deb-test; do
	if wanted "$target"; then
		make "$target" >&2
	fi
done

# A release is made of its sources, and of nothing that is lying around.
unset DEB_PROGRAMS CORE_TARBALL CORE_PINS

if wanted packages; then
	for arch in amd64 arm64; do
		deb=$(DEB_OUT=$out scripts/deb.sh "$arch")
		lintian --allow-root --fail-on error,warning "$deb" >&2
		mkdir -p "$scratch/a/longer/way" "$scratch/cache"
		again=$(DEB_OUT=$scratch TMPDIR=$scratch/a/longer/way GOCACHE=$scratch/cache scripts/deb.sh "$arch")
		cmp "$deb" "$again" >&2 || die "two builds of ${deb##*/} differ"
	done
	# A file that is there for one machine is there for the other.
	for deb in "$out"/*.deb; do
		dpkg-deb --contents "$deb" | awk '{ print $1, $2, $6, $7, $8 }' >"$scratch/files.${deb##*_}"
	done
	diff "$scratch/files.amd64.deb" "$scratch/files.arm64.deb" >&2 || die "the packages for amd64 and arm64 have different files"
fi

if wanted image; then
	[[ -e $out/dmpool_${version}_amd64.deb ]] || die "an image is made of the package: skip both or none"
	image=$out/dmpool-$version-amd64.img.zst
	scripts/image.sh "$out/dmpool_${version}_amd64.deb" "$image" >&2
	scripts/image.sh --again "$scratch/again.img.zst" >&2
	cmp "$image" "$scratch/again.img.zst" >&2 || die "two images of the same root file system differ"
fi

if wanted sbom; then
	scripts/sbom.sh "$version" >"$out/dmpool-$version.cdx.json"
fi

# --- words, sums, signature --------------------------------------------------

{
	printf '# DMPool %s\n\n' "$version"
	dpkg-parsechangelog --file packaging/debian/changelog --show-field Changes |
		sed -e '1,/^\.$/d' -e 's/^\.$//' -e 's/^  \* /- /' -e 's/^    /  /'
	cat <<-END

		## Is it the real one?

		Put the files, \`SHA256SUMS\` and \`SHA256SUMS.asc\` into one folder. There:

		\`\`\`sh
		gpg --verify SHA256SUMS.asc SHA256SUMS          # a good signature, of the key that you know
		sha256sum --ignore-missing --check SHA256SUMS   # OK behind each file
		\`\`\`

		## Back to the version before

		\`sudo dmpool rollback\`; see the README before.
	END
} >"$out/NOTES.md"

{
	printf 'DMPool %s\ncommit %s\n%s, Debian %s\n\n' "$version" "$(git rev-parse HEAD)" "$(go env GOVERSION)" "$(cat /etc/debian_version)"
	[[ -z $rehearsal ]] || printf 'This is a REHEARSAL and not a release.\n\n'
	for step in "${steps[@]}"; do
		if [[ $skipped == *" $step "* ]]; then
			printf '%-10s SKIPPED\n' "$step"
		else
			printf '%-10s done\n' "$step"
		fi
	done
} >"$out/RELEASE.txt"

(cd "$out" && sha256sum -- * >"$scratch/sums" && mv "$scratch/sums" SHA256SUMS)
if wanted sign; then
	gpg --batch --quiet --local-user "$key" --digest-algo SHA512 --armor --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"
	gpg --batch --quiet --verify "$out/SHA256SUMS.asc" "$out/SHA256SUMS" 2>"$scratch/log" || die "$(cat "$scratch/log")"
fi

cat "$out/RELEASE.txt" >&2
printf '%s\n' "$out"
