#!/usr/bin/env bash
#
# Print the path of a Debian 13 root file system with a systemd that boots in
# systemd-nspawn. It is built once, into the cache folder of scripts/bitcoind.sh;
# whoever boots it boots a copy. Needs root, mmdebstrap and a Debian mirror: that of
# this machine's apt, or $DMPOOL_DEBIAN_MIRROR.

set -euo pipefail

# What our package wants to have, so that it can be installed without a network.
packages=systemd-sysv,dbus,polkitd,ca-certificates,systemd-timesyncd
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dmpool
root=$cache/trixie-$(uname -m)-$(cksum <<<"$packages" | cut -d ' ' -f 1)
if [[ ! -d $root ]]; then
	mkdir -p "$cache"
	exec 9>"$cache/trixie.lock"
	flock 9 # another run may be building it
fi
if [[ ! -d $root ]]; then
	echo "trixie.sh: building $root, which takes a minute" >&2
	rm -rf "$root.part"
	mmdebstrap --quiet --variant=minbase --include="$packages" \
		trixie "$root.part" ${DMPOOL_DEBIAN_MIRROR:+"$DMPOOL_DEBIAN_MIRROR"} >&2
	mv "$root.part" "$root"
fi
printf '%s\n' "$root"
