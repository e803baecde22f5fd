package bitcoind

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Machine is what a node may use of the computer that it runs on, in bytes.
type Machine struct {
	DiskTotal int64 // of the file system that holds the data directory
	DiskFree  int64 // of it, for this user
	RAM       int64
}

// Survey measures the machine, and the file system of a directory that exists.
func Survey(dir string) (Machine, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return Machine{}, fmt.Errorf("measure the disk of %s: %w", dir, err)
	}
	// Not from /proc/meminfo, which the service's unit hides.
	var system unix.Sysinfo_t
	if err := unix.Sysinfo(&system); err != nil {
		return Machine{}, fmt.Errorf("measure memory: %w", err)
	}
	block := int64(disk.Bsize)

	return Machine{
		DiskTotal: int64(disk.Blocks) * block,
		DiskFree:  int64(disk.Bavail) * block,
		RAM:       int64(system.Totalram) * int64(system.Unit),
	}, nil
}

// Plan is what Decide decided, in the terms of Conf.
type Plan struct {
	PruneMiB   int // 0: keep all blocks
	DBCacheMiB int // 0: the default of Conf
}

// ErrSmallDisk says that mainnet does not fit on the disk.
var ErrSmallDisk = errors.New("the disk is too small for mainnet")

const (
	mib = 1 << 20
	gib = 1 << 30
	gb  = 1_000_000_000
)

// Decide chooses how much of the chain a new node keeps and how much memory it
// uses for coins, so that nobody has to. A node that prunes can never go back,
// so the caller keeps the first decision about that.
//
// All blocks are kept only where they and their growth for years find room;
// otherwise the node keeps what fits beside two states of coins (the second one
// is for an update of its format) and a reserve for everything else.
func Decide(network string, m Machine) (Plan, error) {
	if network == NetworkPractice || network == NetworkRegtest {
		return Plan{}, nil
	}
	const least = 60 * gb
	if network == NetworkMain && m.DiskTotal < least {
		return Plan{}, fmt.Errorf("%w: it has %d GB, and the node needs %d GB even when it keeps only the newest blocks; "+
			"use a larger disk, or begin with the practice network", ErrSmallDisk, m.DiskTotal/gb, int64(least/gb))
	}

	return Plan{PruneMiB: prune(network, m.DiskFree), DBCacheMiB: dbCache(m.RAM)}, nil
}

// prune returns how many MiB of blocks to keep, 0 for all.
func prune(network string, free int64) int {
	blocks, coins := ChainSize(network)
	if blocks > 0 && free >= blocks*12/10+coins+100*gb {
		return 0
	}

	return int(min(max((free-2*coins-20*gb)/mib, 10_000), 100_000))
}

// ChainSize returns how many bytes the blocks of a network's chain take, and its
// coins, as Bitcoin Core assumes it (kernel/chainparams.cpp). Blocks of 0 are not
// known, and such a chain's coins are taken for mainnet's.
func ChainSize(network string) (blocks, coins int64) {
	switch network {
	case NetworkMain:
		return 856 * gb, 14 * gb
	case NetworkSignet:
		return 24 * gb, 4 * gb
	case NetworkPractice, NetworkRegtest:
		return 0, 0
	}
	return 0, 14 * gb
}

// dbCache is what Bitcoin Core takes by itself since version 31: older ones ask
// for it. More would speed up the first days only, and a power cut or a shutdown
// then costs longer.
func dbCache(ram int64) int {
	if ram >= 4*gib {
		return 1024
	}
	return 450
}
