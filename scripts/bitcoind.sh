#!/usr/bin/env bash
#
# Print the path of a bitcoind that runs on this machine; install nothing.
#
#   node=$(scripts/bitcoind.sh)
#
# Standard output is that one line, everything else goes to standard error.
# The first of these that runs is taken:
#
#   1. $DMPOOL_BITCOIND              whoever sets it means it: no fallback
#   2. bitcoind in $PATH
#   3. the cache folder              ${XDG_CACHE_HOME:-~/.cache}/dmpool/bitcoind
#   4. the official release          pinned SHA-256, checked before unpacking
#   5. Debian's package              with its libraries, checked by apt against
#                                    the Debian archive keyring, unpacked only
#
# 4 and 5 fill the cache, so the second run needs no network.
#
# Debian's package is Bitcoin Knots, which follows other rules than Bitcoin on
# main and testnet4. It is here for practice chains, signet and regtest; the
# pool itself decides on which chain it trusts a node.
#
# $DMPOOL_DEBIAN_MIRROR names the Debian mirror for step 5 where the machine's
# own apt has none.

set -euo pipefail

readonly core_version=31.1
readonly core_site=https://bitcoincore.org/bin
readonly oldest_major=29
readonly debian_suite=trixie
readonly debian_package=bitcoin-knots
readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "bitcoind.sh: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# runs PATH: does it start, and is it new enough?
runs() {
	local text
	text=$("$1" -version 2>/dev/null </dev/null) || return 1
	[[ $text =~ version\ v([0-9]+)\. ]] || return 1
	((BASH_REMATCH[1] >= oldest_major))
}

# found PATH: print it and be done.
found() {
	printf '%s\n' "$1"
	exit 0
}

# --- the official release ----------------------------------------------------

# core TREE: put the official bitcoind into TREE/bin.
core() {
	local tree=$1 host sum
	case $(uname -sm) in
	"Linux x86_64")
		host=x86_64-linux-gnu
		sum=b80d9c3e04da78fb6f0569685673418cf686fadba9042d926d13fb87ff503f9e
		;;
	"Linux aarch64")
		host=aarch64-linux-gnu
		sum=dcf1873f2208ba4f962f3398d47e154c39c0084be8f4553e05c940d0ace3d004
		;;
	*)
		say "no pinned release for $(uname -sm)"
		return 1
		;;
	esac
	if ! command -v curl >/dev/null; then
		say "curl is missing, so the official release is not tried (apt-get install curl)"
		return 1
	fi

	local name=bitcoin-$core_version
	local url=$core_site/bitcoin-core-$core_version/$name-$host.tar.gz
	local tarball=$tree.tar.gz
	say "downloading Bitcoin Core $core_version from ${core_site#https://}"
	if ! curl --silent --show-error --fail --location --proto '=https' --proto-redir '=https' \
		--connect-timeout 5 --speed-limit 20000 --speed-time 20 --max-filesize 200000000 \
		--output "$tarball" "$url" >&2; then
		say "the official release cannot be downloaded from here"
		return 1
	fi
	if ! printf '%s  %s\n' "$sum" "$tarball" | sha256sum --check --status; then
		say "$url does not have the pinned SHA-256 $sum; it was thrown away"
		return 1
	fi

	mkdir -p "$tree/bin" &&
		tar -xzf "$tarball" -C "$tree/bin" --strip-components=2 --no-same-owner "$name/bin/bitcoind" &&
		rm -f "$tarball"
}

# --- Debian's package --------------------------------------------------------

# debian_mirror: print the mirror that carries Debian.
debian_mirror() {
	if [[ -n ${DMPOOL_DEBIAN_MIRROR:-} ]]; then
		printf '%s\n' "$DMPOOL_DEBIAN_MIRROR"
		return
	fi

	# What the machine's own apt uses: once it has its lists, they say which of
	# its archives is Debian's.
	local mirror
	# shellcheck disable=SC2016 # apt fills these in
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' 2>/dev/null |
		awk '!uri && $1 !~ /^cdrom:/ && $2 == "Debian" && $3 == "Debian" && $4 == "main" { uri = $1 } END { print uri }')

	# A machine without lists is fresh; on Debian the suite's name tells then.
	if [[ -z $mirror && -r /etc/os-release ]]; then
		local suite
		# shellcheck source=/dev/null
		suite=$(. /etc/os-release && [[ ${ID:-} == debian ]] && printf '%s' "${VERSION_CODENAME:-}") || return 0
		mirror=$(apt-get --print-uris update 2>/dev/null |
			sed -nE "s#^'([^']+)/dists/($suite|stable|testing|unstable|sid)/InRelease'.*#\1#p" | awk 'NR == 1')
	fi
	printf '%s\n' "$mirror"
}

# debian TREE: unpack Debian's bitcoind and its libraries into TREE/usr and put
# a bitcoind into TREE/bin that runs it through that tree's own loader, so the
# machine's C library may be older.
debian() {
	local tree=$1 tool
	for tool in apt-get dpkg dpkg-deb; do
		if ! command -v "$tool" >/dev/null; then
			say "$tool is missing: Debian's package needs a Debian-like system"
			return 1
		fi
	done

	local arch triplet loader
	arch=$(dpkg --print-architecture)
	case $arch in
	amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
	arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
	*)
		say "Debian's package is not prepared for $arch"
		return 1
		;;
	esac
	if [[ ! -r $debian_keyring ]]; then
		say "$debian_keyring is missing: apt-get install debian-archive-keyring"
		return 1
	fi
	local mirror
	mirror=$(debian_mirror)
	if [[ -z $mirror ]]; then
		say "this machine's apt knows no Debian mirror (Ubuntu's do not carry Debian):" \
			"set DMPOOL_DEBIAN_MIRROR to the address of one"
		return 1
	fi

	local apt=$tree.apt
	mkdir -p "$tree/bin" "$apt"/{lists/partial,cache/archives/partial,log}
	: >"$apt/status"
	printf 'deb [arch=%s signed-by=%s] %s %s main\n' \
		"$arch" "$debian_keyring" "$mirror" "$debian_suite" \
		"$arch" "$debian_keyring" "$mirror" "$debian_suite-backports" >"$apt/sources.list"

	# A state of its own: what the machine has installed, pinned or hooked in
	# stays out of it; proxies and transports stay as the machine has them.
	cat >"$apt/apt.conf" <<-CONF
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		Dir::Log "$apt/log";
		APT::Architecture "$arch";
		#clear APT::Architectures;
		APT::Architectures { "$arch"; };
		#clear APT::Update;
		#clear APT::Default-Release;
		#clear DPkg;
		APT::Install-Recommends "false";
		APT::Get::AllowUnauthenticated "false";
		Acquire::AllowInsecureRepositories "false";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::Retries "2";
	CONF
	if ((EUID == 0)); then
		# root's cache folder is closed to apt's download user.
		printf 'APT::Sandbox::User "root";\n' >>"$apt/apt.conf"
	fi

	say "fetching $debian_package and its libraries from this machine's Debian mirror"
	if ! apt-get -c "$apt/apt.conf" -qq update >&2; then
		say "apt-get update failed for $debian_suite and $debian_suite-backports; its reason is above"
		return 1
	fi
	if ! apt-get -c "$apt/apt.conf" -qq --yes --download-only \
		-t "$debian_suite-backports" install "$debian_package" >&2; then
		say "apt-get cannot download $debian_package; its reason is above"
		return 1
	fi

	local deb
	for deb in "$apt"/cache/archives/*.deb; do
		dpkg -x "$deb" "$tree.root" || return 1
	done
	mkdir -p "$tree/usr/bin" "$tree/usr/lib" &&
		mv "$tree.root/usr/bin/bitcoind" "$tree/usr/bin/" &&
		mv "$tree.root/usr/lib/$triplet" "$tree/usr/lib/" || return 1

	cat >"$tree/bin/bitcoind" <<-WRAPPER
		#!/bin/sh
		# Debian's bitcoind on the C library it was built for.
		self=\$(readlink -f -- "\$0")
		tree=\${self%/bin/bitcoind}
		lib=\$tree/usr/lib/$triplet
		exec "\$lib/$loader" --library-path "\$lib" "\$tree/usr/bin/bitcoind" "\$@"
	WRAPPER
	chmod 755 "$tree/bin/bitcoind"
}

# --- one after the other -----------------------------------------------------

if [[ -n ${DMPOOL_BITCOIND:-} ]]; then
	if path=$(command -v -- "$DMPOOL_BITCOIND") && path=$(readlink -f -- "$path") && runs "$path"; then
		found "$path"
	fi
	die "DMPOOL_BITCOIND=$DMPOOL_BITCOIND is not a bitcoind $oldest_major or newer that runs here:" \
		"correct it or unset it"
fi

if path=$(command -v bitcoind); then
	path=$(readlink -f -- "$path")
	if runs "$path"; then
		found "$path"
	fi
	say "$path does not run here or is older than $oldest_major; looking further"
fi

[[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] || die "neither HOME nor XDG_CACHE_HOME is set: set one of them"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dmpool/bitcoind
mkdir -p "$cache" || die "cannot write to $cache: set XDG_CACHE_HOME to a folder of yours"
cache=$(cd "$cache" && pwd -P)
command -v flock >/dev/null || die "flock is missing: apt-get install util-linux"

official=$cache/core-$core_version-$(uname -m)
packaged=$cache/debian-$debian_suite-$(uname -m)

cached() {
	local tree
	for tree in "$official" "$packaged"; do
		if [[ -x $tree/bin/bitcoind ]] && runs "$tree/bin/bitcoind"; then
			found "$tree/bin/bitcoind"
		fi
	done
}

cached
exec 9>"$cache/lock"
if ! flock --nonblock 9; then
	say "another run is fetching a bitcoind; waiting for it"
	flock 9
fi
cached # the other run may have fetched it

rm -rf "$cache"/work.* # left by a run that was killed
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# keep BUILT TREE: move what was built aside into place, whole.
keep() {
	if ! runs "$1/bin/bitcoind"; then
		say "that bitcoind does not run on this machine"
		return 1
	fi
	rm -rf "$2" && mv "$1" "$2"
}

if core "$work/core" && keep "$work/core" "$official"; then
	found "$official/bin/bitcoind"
fi
if debian "$work/debian" && keep "$work/debian" "$packaged"; then
	found "$packaged/bin/bitcoind"
fi
die "no bitcoind for this machine. Install Bitcoin Core from bitcoincore.org and put it in PATH," \
	"or set DMPOOL_BITCOIND to its path"
