package bitcoind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// lockHolder asks the kernel who holds the lock that a running bitcoind keeps
// on its data directory. The name is empty when nobody does.
func lockHolder(path string) (name string, pid int, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil // never used before
	}
	if err != nil {
		return "", 0, fmt.Errorf("look at the node's lock: %w", err)
	}
	defer file.Close()

	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return "", 0, fmt.Errorf("look at the node's lock: %w", err)
	}
	switch {
	case lock.Type == unix.F_UNLCK:
		return "", 0, nil
	case lock.Pid <= 0: // in another container
		return "a process outside of this container", 0, nil
	default:
		return processName(int(lock.Pid)), int(lock.Pid), nil
	}
}
