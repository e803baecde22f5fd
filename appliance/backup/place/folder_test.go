package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/appliance/faultdisk"
)

func TestFolderThatIsNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file)
	for path, word := range map[string]string{filepath.Join(dir, "missing"): "no folder", file: "no folder"} {
		_, err := NewFolder(path, "").List(t.Context())
		refusedWith(t, path, err, word)
	}
	if os.Geteuid() == 0 {
		t.Log("root may look into every folder; the rest is not tried")
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := NewFolder(dir, "").Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x"))
	if !errors.Is(err, ErrNotAllowed) {
		t.Errorf("Put = %v, want %v", err, ErrNotAllowed)
	}
}

// What somebody has laid into the folder leads nowhere else and holds nobody up.
func TestHostileFolder(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	write(t, outside)
	for _, name := range []string{"dmpool-main-20261123-000001.age.part", "dmpool-main-20261123-000002.age", "dmpool-main-20261123-000003.age"} {
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "dmpool-main-20261123-000004.age"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := NewFolder(dir, "")
	if got := names(t, p); len(got) > 0 {
		t.Errorf("List = %q, none of which is a file", got)
	}
	for _, name := range []string{"dmpool-main-20261123-000003.age", "dmpool-main-20261123-000004.age"} {
		if _, err := p.Open(t.Context(), name); !errors.Is(err, backup.ErrMissing) {
			t.Errorf("Open(%s) = %v, want %v", name, err, backup.ErrMissing)
		}
	}
	if err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("new")); err != nil {
		t.Error(err)
	}
	err := p.Put(t.Context(), "dmpool-main-20261123-000002.age", strings.NewReader("new"))
	refusedWith(t, "Put over a link", err, "already")
	if got, err := os.ReadFile(outside); err != nil || string(got) != "x" {
		t.Errorf("what the links lead to is now %q, %v", got, err)
	}
	if got := string(read(t, p, "dmpool-main-20261123-000001.age")); got != "new" {
		t.Errorf("read %q", got)
	}
}

// A list is whole, whatever else lies there, or there is none.
func TestCrowdedFolder(t *testing.T) {
	dir := t.TempDir()
	for i := range 1500 {
		write(t, filepath.Join(dir, fmt.Sprintf("photo-%d", i)))
		write(t, filepath.Join(dir, fmt.Sprintf("dmpool-main-20261123-%06d.age", i)))
	}
	if got := names(t, NewFolder(dir, "")); len(got) != 1500 {
		t.Errorf("List tells of %d files, want 1500", len(got))
	}
	for i := range listMost {
		write(t, filepath.Join(dir, fmt.Sprintf("dmpool-main-20261124-%06d.age", i)))
	}
	list, err := NewFolder(dir, "").List(t.Context())
	refusedWith(t, "List", err, "too many files")
	if len(list) > 0 {
		t.Errorf("List = %d files with an error", len(list))
	}
}

// Without its disk a place is none, whatever lies below.
func TestDiskThatIsNotThere(t *testing.T) {
	data, below := t.TempDir(), t.TempDir()
	p := NewDisk(below, data)
	refusedWith(t, "Put", p.Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")), "no disk is mounted")
	_, _, err := p.Free(t.Context())
	refusedWith(t, "Free", err, "no disk is mounted")
	if left, err := os.ReadDir(below); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A disk that is unmounted in the middle takes no byte of it to the disk of the box.
func TestDiskPulledOut(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	data, disk := t.TempDir(), faultdisk.Memory(t, "8m")
	p := NewDisk(disk.Dir, data)
	if err := Try(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if mount, err := MountOf(disk.Dir); err != nil || mount != disk.Dir {
		t.Errorf("MountOf = %q, %v, want %q", mount, err, disk.Dir)
	}
	if SameDisk(disk.Dir, data) {
		t.Error("the disk counts as the box's own")
	}
	pulled := false
	source := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), reading(func([]byte) (int, error) {
		if !pulled {
			pulled = true
			if err := unix.Unmount(disk.Dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
		return 0, io.EOF
	}))
	err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", source)
	t.Logf("Put while the disk went: %v", err)
	if left, err := os.ReadDir(disk.Dir); err != nil || len(left) > 0 {
		t.Errorf("below the disk: %v, %v", left, err)
	}
	_, err = p.List(t.Context())
	refusedWith(t, "List", err, "no disk is mounted")
	if err := unix.Mount("tmpfs", disk.Dir, "tmpfs", 0, ""); err != nil { // for the test's own end
		t.Fatal(err)
	}
	if got := names(t, p); len(got) > 0 {
		t.Errorf("another disk has %q", got)
	}

	// A folder on a disk of its own, which is not mounted any more, is another folder.
	inside := filepath.Join(disk.Dir, "backups")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	mount, err := MountOf(inside)
	if err != nil || mount != disk.Dir {
		t.Fatalf("MountOf = %q, %v, want %q", mount, err, disk.Dir)
	}
	f := NewFolder(inside, mount)
	if err := Try(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := unix.Unmount(disk.Dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, "Put", f.Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")), "no disk is mounted")
	if err := os.Remove(inside); err != nil {
		t.Error(err)
	}
	if err := unix.Mount("tmpfs", disk.Dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "2m")
	p := NewDisk(disk.Dir, t.TempDir())
	refusedWith(t, "Put", p.Put(t.Context(), "dmpool-main-20261123-000001.age", bytes.NewReader(make([]byte, 8<<20))), "not enough room")
	if left, err := os.ReadDir(disk.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Try(t.Context(), p); err != nil {
		t.Errorf("Try, for which there is room: %v", err)
	}
}

// A disk that breaks while a file is written keeps nothing that counts.
func TestBrokenDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Ext4(t, "32m")
	p := NewDisk(disk.Dir, t.TempDir())
	if err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	disk.Sync()
	broken := false
	source := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), reading(func([]byte) (int, error) {
		if !broken {
			broken = true
			disk.Break()
		}
		return 0, io.EOF
	}))
	err := p.Put(t.Context(), "dmpool-main-20261123-000002.age", source)
	if _, spoken := errors.AsType[*Error](err); !spoken {
		t.Errorf("Put = %v, want a sentence", err)
	}
	disk.Mend()
	if got := names(t, p); len(got) != 1 || got[0] != "dmpool-main-20261123-000001.age" {
		t.Errorf("List = %q after the disk was mended", got)
	}
}
