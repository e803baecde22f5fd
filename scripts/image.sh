#!/usr/bin/env bash
#
# Make the disk image of a box from the package:
#
#   scripts/image.sh PACKAGE.deb IMAGE.img.zst
#   scripts/image.sh --again IMAGE.img.zst
#
# The first makes a root file system, kept in the cache folder of scripts/bitcoind.sh
# as image-root, and an image of it; the second one more image of the same root file
# system, which is the same image, bit for bit.
#
# Needs root, mmdebstrap and a Debian mirror, mmdebstrap's own or $DMPOOL_DEBIAN_MIRROR;
# no loop device, no virtual machine, no container. systemd-repart and its like run in
# a Debian 13 of their own, because those of Debian 12 are too old.

set -euo pipefail

say() { printf '%s\n' "image.sh: $*" >&2; }

die() {
	say "$*"
	exit 1
}

here=$(cd "$(dirname "$0")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dmpool
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
readonly here cache

# What the package needs and what makes a machine of it.
packages=linux-image-amd64,initramfs-tools,zstd,udev,systemd-sysv,systemd-boot,systemd-boot-efi,systemd-ukify
packages+=,systemd-repart,systemd-resolved,libnss-resolve,systemd-timesyncd,systemd-zram-generator,dbus,polkitd
packages+=,ca-certificates,e2fsprogs,dosfstools,nftables,iproute2,unattended-upgrades,openssh-server,smartmontools
readonly packages
readonly tools=systemd-repart,dosfstools,mtools,e2fsprogs,zstd

# The disk's own numbers are the same in every image; what has to differ from box to
# box is made there.
readonly seed=6bbf4d64-7d7c-43a1-9a0c-3a1d1d8a4f4c

# debian FOLDER PACKAGES: a Debian 13 with these packages.
debian() {
	rm -rf "$1" "$1.part"
	mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' --include="$2" \
		trixie "$1.part" ${DMPOOL_DEBIAN_MIRROR:+"$DMPOOL_DEBIAN_MIRROR"} >&2
	mv "$1.part" "$1"
}

# inside FOLDER COMMAND...: run it with that folder as /; there, /tmp/work is the work
# folder and /tmp/root the root file system of the image. What is mounted goes with it.
inside() {
	local folder=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private sh -ec '
		folder=$1 work=$2 root=$3
		shift 3
		mount -t proc proc "$folder/proc"
		mount --rbind /dev "$folder/dev"
		mount -t tmpfs -o mode=1777 tmp "$folder/tmp"
		mkdir "$folder/tmp/work" "$folder/tmp/root"
		mount --bind "$work" "$folder/tmp/work"
		mount --bind "$root" "$folder/tmp/root"
		mount -o remount,bind,noatime "$folder/tmp/root"
		exec chroot "$folder" /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
	' sh "$folder" "$work" "$root" "$@"
}

# furnish: put into the root file system what is ours.
furnish() {
	local kernel loader
	cp "$package" "$work/dmpool.deb"
	inside "$root" dpkg --install /tmp/work/dmpool.deb >&2
	tar -C "$here/packaging/image/root" --owner=0 --group=0 --mode=u=rwX,go=rX -c . | tar -C "$root" --no-overwrite-dir -x
	(cd "$here" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$root/usr/lib/dmpool/" ./cmd/dmpool-image)
	: >"$root/etc/apt/sources.list" # the mirror of this machine

	inside "$root" systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd systemd-time-wait-sync \
		nftables ssh dmpool-boot-file.service dmpool-screen.service dmpool-screen.path
	inside "$root" passwd --quiet --lock root

	# The boot partition, as an update of the kernel will write it.
	kernel=$(cd "$root/usr/lib/modules" && echo *)
	inside "$root" update-initramfs -u -k "$kernel" >&2
	inside "$root" kernel-install add "$kernel" "/boot/vmlinuz-$kernel" >&2
	loader=$(echo "$root"/usr/lib/systemd/boot/efi/systemd-bootx64.efi*)
	install -D -m 0644 "$loader" "$root/efi/EFI/BOOT/BOOTX64.EFI"
	install -D -m 0644 "$loader" "$root/efi/EFI/systemd/systemd-bootx64.efi"

	# What is made on each box, and what tells when and where this was built.
	: >"$root/etc/machine-id"
	rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/systemd/random-seed" "$root/var/lib/dbus/machine-id"
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	rm -rf "$root"/var/log/{apt,bootstrap.log,dpkg.log,alternatives.log} "$root"/var/cache/{apt,debconf,ldconfig}/*
	touch "$root/usr/lib/clock-epoch" # no box's clock is ever before this
	find "$root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# assemble: make the disk of the root file system.
assemble() {
	cp -r "$here/packaging/image/repart.d" "$work/"
	# When a file was read last is in the image, too.
	inside "$cache/image-tools" find /tmp/root -exec touch --no-dereference --time=atime --date="@$SOURCE_DATE_EPOCH" {} +
	# --sector-size: with 4096, its own choice, firmware does not see the boot partition.
	inside "$cache/image-tools" env TMPDIR=/tmp/work E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH" \
		SYSTEMD_REPART_MKFS_OPTIONS_EXT4="-E hash_seed=$seed" \
		systemd-repart --offline=yes --empty=create --size=auto --sector-size=512 --seed="$seed" \
		--root=/tmp/root --definitions=/tmp/work/repart.d --dry-run=no --no-pager /tmp/work/disk.raw >&2
	inside "$cache/image-tools" zstd --quiet -10 --threads=0 /tmp/work/disk.raw -o /tmp/work/disk.img.zst
}

(($# == 2)) || die "usage: scripts/image.sh PACKAGE.deb|--again IMAGE.img.zst"
readonly root=$cache/image-root
package=
if [[ $1 != --again ]]; then
	package=$(readlink -e "$1") || die "there is no package $1; make deb makes one"
elif [[ ! -d $root ]]; then
	die "there is no root file system yet: name a package"
fi
image=$(realpath "$2")
((EUID == 0)) || die "the files in the image belong to others: run this as root"

mkdir -p "$cache" "$(dirname "$image")"
exec 9>"$cache/image.lock"
flock 9                      # another run may be at it
rm -rf "$cache"/image.work.* # left by a run that was killed
work=$(mktemp -d "$cache/image.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

[[ -d $cache/image-tools ]] || {
	say "fetching the tools"
	debian "$cache/image-tools" "$tools"
}
if [[ -n $package ]]; then
	say "making the root file system, which takes two minutes"
	debian "$root" "$packages"
	furnish
fi
say "making the disk"
assemble
mv "$work/disk.img.zst" "$image"
