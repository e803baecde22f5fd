#!/usr/bin/env bash
#
# Put packages into a signed apt repository, or sign anew what is there.
#
#   scripts/apt-repo.sh [FILE.deb...]
#
# APT_KEY         fingerprint of the key that signs; gpg finds it, in $GNUPGHOME or
#                 where it looks by itself, and asks for its words
# APT_URI         where people read the repository, such as https://example.org/apt
# APT_REPO        its folder, by default dist/apt; what stands there is kept
# APT_VALID_DAYS  for how long people's apt trusts the signature, by default 90; call
#                 this script again, without a package, before they are over
#
# A release goes into the suites stable and testing, anything before or between
# releases into testing. A suite keeps two versions, so that there is a way back.
#
# apt-ftparchive it is because it can do both Valid-Until and by-hash: reprepro knows
# no by-hash, aptly no Valid-Until.

set -euo pipefail

say() { printf '%s\n' "apt-repo.sh: $*" >&2; }

die() {
	say "$*"
	exit 1
}

readonly suites=(stable testing) arches=(amd64 arm64) keep=2
readonly key=${APT_KEY:-} uri=${APT_URI:-} days=${APT_VALID_DAYS:-90}
[[ $key =~ ^[0-9A-F]{40}$ ]] || die "APT_KEY has to be the fingerprint of a key: 40 characters, without spaces"
[[ $uri =~ ^https?://[^[:space:]]+$ ]] || die "APT_URI has to say where people read the repository: https://..."
[[ $days =~ ^[1-9][0-9]*$ ]] || die "APT_VALID_DAYS has to be a number of days"
gpg --batch --list-secret-keys "$key" >/dev/null 2>&1 || die "gpg does not have the secret key $key"

# --- what goes in ------------------------------------------------------------

debs=()
for file in "$@"; do
	debs+=("$(realpath -e "$file")")
done
repo=${APT_REPO:-"$(dirname "$0")/../dist/apt"}
mkdir -p "$repo"
cd "$repo"
mkdir -p "${suites[@]/#/pool/}"

for deb in "${debs[@]}"; do
	# shellcheck disable=SC2016 # dpkg-deb fills it in
	name=$(dpkg-deb --show --showformat='${Package}_${Version}_${Architecture}.deb' "$deb")
	version=$(dpkg-deb --field "$deb" Version)
	[[ $name =~ ^dmpool_[^_/]+_(amd64|arm64)\.deb$ ]] || die "$deb is not a package of ours: $name"
	[[ $version != *.dirty ]] || die "$deb was built from files that no commit has"
	for suite in "${suites[@]}"; do
		[[ $suite == testing || $version =~ ^[0-9.]+$ ]] || continue
		there=pool/$suite/$name
		# Who has the old bytes in a cache would be told of an attack.
		[[ ! -e $there ]] || cmp -s "$deb" "$there" || die "$there is there already, with other bytes: a new build needs a new version"
		install -m 644 "$deb" "$there"
	done
done

# versions prints those of a suite and an architecture, the newest first.
versions() {
	local file
	for file in "pool/$1"/dmpool_*_"$2".deb; do
		[[ -e $file ]] || continue
		file=${file##*/dmpool_}
		printf '%s\n' "${file%_*}"
	done | { perl -MDpkg::Version -e 'chomp(my @v = <STDIN>); print "$_\n" for sort { version_compare($b, $a) } @v'; }
}

for suite in "${suites[@]}"; do
	for arch in "${arches[@]}"; do
		while IFS= read -r version; do
			rm "pool/$suite/dmpool_${version}_$arch.deb"
		done < <(versions "$suite" "$arch" | tail -n +$((keep + 1)))
	done
done

# --- lists and signatures ----------------------------------------------------

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

sign() { gpg --batch --yes --quiet --local-user "$key" --digest-algo SHA512 "$@"; }

for suite in "${suites[@]}"; do
	dist=dists/$suite
	for arch in "${arches[@]}"; do
		list=$dist/main/binary-$arch
		mkdir -p "$list"
		apt-ftparchive -o APT::FTPArchive::MD5=no -o APT::FTPArchive::SHA1=no \
			--arch "$arch" packages "pool/$suite" >"$scratch/Packages"
		xz --keep --force "$scratch/Packages"
		install -m 644 -t "$list" "$scratch/Packages" "$scratch/Packages.xz"
	done
	# Old lists stay for who is between the two halves of an update.
	apt-ftparchive \
		-o APT::FTPArchive::MD5=no -o APT::FTPArchive::SHA1=no \
		-o APT::FTPArchive::DoByHash=yes -o APT::FTPArchive::By-Hash-Keep=10 \
		-o APT::FTPArchive::Release::Origin=DMPool \
		-o APT::FTPArchive::Release::Label=DMPool \
		-o APT::FTPArchive::Release::Suite="$suite" \
		-o APT::FTPArchive::Release::Codename="$suite" \
		-o APT::FTPArchive::Release::Architectures="${arches[*]}" \
		-o APT::FTPArchive::Release::Components=main \
		-o APT::FTPArchive::Release::ValidTime=$((days * 86400)) \
		release "$dist" >"$scratch/Release"
	sign --armor --detach-sign --output "$scratch/Release.gpg" "$scratch/Release"
	sign --clearsign --output "$scratch/InRelease" "$scratch/Release"
	install -m 644 -t "$dist" "$scratch/Release" "$scratch/Release.gpg" "$scratch/InRelease"
done

# --- what people need --------------------------------------------------------

gpg --batch --armor --export-options export-minimal --export "$key" >dmpool.asc
cat >dmpool.sources <<-END
	# The packages of DMPool. For versions before their release: Suites: testing
	Types: deb
	URIs: ${uri%/}
	Suites: stable
	Components: main
	Signed-By: /etc/apt/keyrings/dmpool.asc
END
printf '%s\n' "$PWD"
