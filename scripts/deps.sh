#!/usr/bin/env bash
#
# Make sure that this machine has what building and running DMPool needs.
#
#   scripts/deps.sh         for make run: a C compiler, git, curl, Go
#   scripts/deps.sh test    also a headless browser, fonts and ps; for root, who
#                           can use them, what makes disks and a container
#   scripts/deps.sh deb     also what builds a package for $ARCH, by default for
#                           machines like this one
#   scripts/deps.sh image   also what makes a disk image of the package, and a
#                           computer to try it in
#   scripts/deps.sh publish also what lists, signs and publishes packages
#
# Only what is missing is installed, through apt. Where nothing is missing the
# script says nothing, needs no network and no rights.

set -euo pipefail

readonly go_major=1 go_minor=26
readonly browser=/usr/bin/chromium-headless-shell

say() { printf '%s\n' "deps.sh: $*" >&2; }

die() {
	say "$*"
	exit 1
}

has() { command -v "$1" >/dev/null; }

case ${1:-} in
'' | test | deb | image | publish) ;;
*) die "usage: scripts/deps.sh [test | deb | image | publish]" ;;
esac

# --- what is missing ---------------------------------------------------------

missing=()
has gcc || missing+=(gcc)
[[ -e /usr/include/stdlib.h ]] || missing+=(libc6-dev)
has git || missing+=(git)
has curl || missing+=(curl)
[[ -s /etc/ssl/certs/ca-certificates.crt || -s /etc/pki/tls/certs/ca-bundle.crt ]] || missing+=(ca-certificates)

if [[ ${1:-} == test ]]; then
	[[ -x $browser ]] || missing+=(chromium-headless-shell)
	has ps || missing+=(procps)
	has gpg || missing+=(gnupg)
	has dpkg-parsechangelog || missing+=(dpkg-dev)
	has fc-list || missing+=(fontconfig)
	[[ -n $(fc-list :lang=en 2>/dev/null) ]] || missing+=(fonts-dejavu-core)
	[[ -n $(fc-list :lang=zh 2>/dev/null) ]] || missing+=(fonts-droid-fallback)
	# Only root can mount the disks that tests fill and break, and boot a container
	# for the tests of our units and of the package.
	if ((EUID == 0)); then
		has mount || missing+=(mount)
		has mkfs.ext4 || missing+=(e2fsprogs)
		has mmdebstrap || missing+=(mmdebstrap)
		has systemd-nspawn || missing+=(systemd-container)
		has dh || missing+=(debhelper)
	fi
fi

if [[ ${1:-} == deb || ${1:-} == image ]]; then
	has dh || missing+=(debhelper)
	has lintian || missing+=(lintian)
	has make || missing+=(make)
	arch=${ARCH:-$(dpkg --print-architecture)}
	case $arch in
	"$(dpkg --print-architecture)") ;;
	arm64)
		has aarch64-linux-gnu-gcc || missing+=(gcc-aarch64-linux-gnu)
		[[ -e /usr/aarch64-linux-gnu/include/stdlib.h ]] || missing+=(libc6-dev-arm64-cross)
		;;
	amd64)
		has x86_64-linux-gnu-gcc || missing+=(gcc-x86-64-linux-gnu)
		[[ -e /usr/x86_64-linux-gnu/include/stdlib.h ]] || missing+=(libc6-dev-amd64-cross)
		;;
	*) die "packages are made for amd64 and arm64, not for $arch" ;;
	esac
fi

if [[ ${1:-} == image ]]; then
	[[ $(uname -m) == x86_64 ]] || die "the image is for PCs, and is made on one"
	has mmdebstrap || missing+=(mmdebstrap)
	has zstd || missing+=(zstd)
	has debugfs || missing+=(e2fsprogs)
	has mcopy || missing+=(mtools)
	has ssh || missing+=(openssh-client)
	has qemu-system-x86_64 || missing+=(qemu-system-x86)
	[[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ]] || missing+=(ovmf)
fi

if [[ ${1:-} == publish ]]; then
	has apt-ftparchive || missing+=(apt-utils)
	has dpkg-parsechangelog || missing+=(dpkg-dev)
	has gpg || missing+=(gnupg)
	has jq || missing+=(jq)
	has xz || missing+=(xz-utils)
fi

# --- install it --------------------------------------------------------------

as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		sudo "$@"
	fi
}

if ((${#missing[@]} > 0)); then
	has apt-get || die "these are missing and there is no apt-get to install them: ${missing[*]} (Debian's names)"
	((EUID == 0)) || has sudo || die "these are missing: ${missing[*]}. As root: apt-get install ${missing[*]}"

	say "installing ${missing[*]}"
	as_root apt-get -qq update >&2 || say "apt-get update failed in part; going on with what apt knows"

	absent=()
	for package in "${missing[@]}"; do
		[[ -n $(apt-cache madison "$package" 2>/dev/null) ]] || absent+=("$package")
	done
	if [[ " ${absent[*]-} " == *" chromium-headless-shell "* ]]; then
		say "this system has no package chromium-headless-shell (Debian has it; Ubuntu's chromium is a snap," \
			"which the tests cannot drive): run the browser tests on Debian, or put a headless shell at $browser"
	fi
	((${#absent[@]} == 0)) || die "apt does not have: ${absent[*]}"

	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install "${missing[@]}" >/dev/null ||
		die "apt-get could not install ${missing[*]}; its reason is above"
fi

# --- Go ----------------------------------------------------------------------

# Asked inside the module, an older go fetches the version that go.mod wants.
cd "$(dirname "$0")/.."
readonly get_go="DMPool needs Go $go_major.$go_minor or newer: install it from go.dev/doc/install and put its bin folder in PATH"
has go || die "go is missing. $get_go"
version=$(go env GOVERSION 2>/dev/null) || die "go does not run here (try: go env GOVERSION). $get_go"
if ! [[ $version =~ go([0-9]+)\.([0-9]+) ]] ||
	((BASH_REMATCH[1] < go_major || (BASH_REMATCH[1] == go_major && BASH_REMATCH[2] < go_minor))); then
	die "this is $version. $get_go"
fi
