package faultdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Disk is a file system that belongs to a test. Use it where [Alone] is true.
type Disk struct {
	Dir string // where it is mounted

	t     testing.TB
	image string // of a disk that can break; empty: it is memory
}

// Memory mounts a disk of so many bytes, which can be filled.
func Memory(t testing.TB, size string) *Disk {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t}
	d.must(unix.Mount("tmpfs", d.Dir, "tmpfs", 0, "size="+size))
	d.letGo()
	return d
}

// Ext4 mounts a disk that can be filled and broken.
func Ext4(t testing.TB, size string) *Disk {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t, image: filepath.Join(t.TempDir(), "image")}
	d.run("truncate", "--size="+size, d.image)
	d.run("mkfs.ext4", "-q", d.image)
	d.run("mount", "-o", "loop", d.image, d.Dir)
	d.letGo()
	return d
}

// Hanging mounts a disk that never answers, like one over the network whose machine is
// off: it is in user space, and nobody is there. Calls hang until end, and fail then.
func Hanging(t testing.TB) (dir string, end func()) {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t}
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	d.must(err)
	end = sync.OnceFunc(func() { d.must(unix.Close(fuse)) })
	d.must(unix.Mount("nobody", d.Dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse)))
	d.letGo()
	t.Cleanup(end)
	return d.Dir, end
}

// letGo lets the folder be removed after the test.
func (d *Disk) letGo() {
	d.t.Cleanup(func() { d.must(unix.Unmount(d.Dir, unix.MNT_DETACH)) })
}

// Fill takes all room but so many bytes.
func (d *Disk) Fill(leave int64) {
	d.t.Helper()
	d.Clear()
	var s unix.Statfs_t
	d.must(unix.Statfs(d.Dir, &s))
	f, err := os.Create(d.filler())
	d.must(err)
	defer f.Close()
	for take := int64(s.Bavail)*s.Bsize - leave; take > 0; take -= 1 << 20 {
		err := unix.Fallocate(int(f.Fd()), 0, 0, take)
		if !errors.Is(err, unix.ENOSPC) { // others write to the disk meanwhile
			d.must(err)
			return
		}
	}
}

// Clear gives back what Fill took.
func (d *Disk) Clear() {
	d.t.Helper()
	if err := os.Remove(d.filler()); !errors.Is(err, fs.ErrNotExist) {
		d.must(err)
	}
}

func (d *Disk) filler() string { return filepath.Join(d.Dir, "filler") }

// Sync has the disk hold what was written so far, as it would after half a minute.
func (d *Disk) Sync() {
	d.t.Helper()
	dir, err := os.Open(d.Dir)
	d.must(err)
	defer dir.Close()
	d.must(unix.Syncfs(int(dir.Fd())))
}

// Break does to a disk what the kernel does after an error of the drive: it takes
// no more writes, whoever has files open on it.
func (d *Disk) Break() {
	d.t.Helper()
	d.run("mount", "-o", "remount,abort", d.Dir)
	// The kernel turns it read-only at the next write.
	if err := os.WriteFile(d.filler(), []byte("x"), 0o600); err == nil {
		d.t.Fatal("the disk still takes writes")
	}
}

// Mend mounts a disk again that was broken, after what a check has repaired. Who has
// files open on it keeps the broken one.
func (d *Disk) Mend() {
	d.t.Helper()
	d.must(unix.Unmount(d.Dir, unix.MNT_DETACH))
	d.run("mount", "-o", "loop", d.image, d.Dir)
}

func (d *Disk) run(name string, args ...string) {
	d.t.Helper()
	if said, err := exec.CommandContext(d.t.Context(), name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v: %s", name, err, said)
	}
}

func (d *Disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}
