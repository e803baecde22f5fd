package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSecondOpenKeepsLocks opens a database twice in this process, as the demo
// does for its set-up. POSIX drops all locks of a process on a file when it
// closes any descriptor of it, and SQLite's lock is what keeps another process
// from removing the -wal file under a database in use, with all that is written
// from then on.
func TestSecondOpenKeepsLocks(t *testing.T) {
	if path := os.Getenv("SQLITE_TEST_LOCKED"); path != "" { // in another process, because one does not see its own locks
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const sharedFirst, sharedSize = 0x40000002, 510
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: sharedFirst, Len: sharedSize}
		if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
			t.Fatal(err)
		}
		if lock.Type == unix.F_UNLCK {
			t.Error("the database in use is not locked")
		}
		return
	}

	path := filepath.Join(t.TempDir(), "x.db")
	s := schema(makeParent)
	insert(t, open(t, path, s), 1)
	if err := open(t, path, s).Close(); err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondOpenKeepsLocks$")
	other.Env = append(os.Environ(), "SQLITE_TEST_LOCKED="+path)
	if out, err := other.CombinedOutput(); err != nil {
		t.Error(strings.TrimSpace(string(out)))
	}
}
