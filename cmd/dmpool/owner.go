package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// installedDataDir is where the package's service keeps its data.
const installedDataDir = "/var/lib/dmpool"

// ownDataDir is the folder that a command means whose user names none: that of the
// installed service for root, and for everybody who has no box of their own.
func ownDataDir() string {
	own := defaultDataDir()
	if !exists(installedDataDir) || os.Geteuid() != 0 && exists(own) {
		return own
	}
	return installedDataDir
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, os.ErrNotExist)
}

// becomeOwner has root go on as the user whose data it is: a file that root left
// there, the pool could not write to.
func becomeOwner(dataDir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	about, err := os.Stat(dataDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data directory %s cannot be read: %w", dataDir, err)
	}
	owner, ok := about.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	if err := become(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("work as the owner of %s: %w", dataDir, err)
	}
	return nil
}

// become makes this process one of another user, who keeps the groups that the
// system knows of.
func become(uid, gid int) error {
	var groups []int
	if who, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		names, err := who.GroupIds()
		if err != nil {
			return fmt.Errorf("find groups: %w", err)
		}
		for _, name := range names {
			if id, err := strconv.Atoi(name); err == nil {
				groups = append(groups, id)
			}
		}
	}
	return errors.Join(syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid))
}
