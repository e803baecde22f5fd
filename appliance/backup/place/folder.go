package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/backup"
)

// Folder keeps files in a folder of this machine.
type Folder struct {
	dir   string
	mount string // where its file system is mounted, empty: it does not matter
	apart string // a folder that must be on another file system, empty: it does not matter
}

// NewFolder returns the place in a folder, which is not made if it is missing. mount
// is what [MountOf] said when the folder was chosen: when nothing is mounted there
// any more, the folder is another one.
func NewFolder(dir, mount string) *Folder { return &Folder{dir: dir, mount: mount} }

// NewDisk returns the place on a disk that is mounted at dir when somebody has plugged
// it in. It is never on the file system of the folder data.
func NewDisk(dir, data string) *Folder { return &Folder{dir: dir, mount: dir, apart: data} }

// CheckFolder refuses what is no path of a folder.
func CheckFolder(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" || len(dir) > 512 || !printable(dir) {
		return refused(nil, "the folder is given from the root on, such as /mnt/backups")
	}
	return nil
}

// MountOf returns where the file system of a folder is mounted, empty when that is
// the root of all.
func MountOf(dir string) (string, error) {
	dir = filepath.Clean(dir)
	own, err := device(dir)
	if err != nil {
		return "", missing(dir, err)
	}
	for dir != "/" {
		above, err := device(filepath.Dir(dir))
		if err != nil {
			return "", missing(dir, err)
		}
		if above != own {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", nil
}

// SameDisk tells whether two folders are on one file system, so that what destroys
// one destroys the other.
func SameDisk(a, b string) bool {
	one, err := device(a)
	other, also := device(b)
	return err == nil && also == nil && one == other
}

// device returns the file system that a folder is on.
func device(dir string) (uint64, error) {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return 0, fmt.Errorf("look at %s: %w", dir, err)
	}
	return uint64(s.Dev), nil //nolint:unconvert // 32 bits on some machines
}

// open holds on to the folder, once it is the right one.
func (f *Folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, missing(f.dir, err)
	}
	if err := f.check(root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// check looks at the folder that is held.
func (f *Folder) check(root *os.Root) error {
	var own unix.Stat_t
	handle, err := root.Open(".")
	if err != nil {
		return missing(f.dir, err)
	}
	defer handle.Close()
	if err := unix.Fstat(int(handle.Fd()), &own); err != nil {
		return missing(f.dir, err)
	}
	for _, other := range []string{f.mount, f.apart} {
		if other == "" {
			continue
		}
		if other == f.mount {
			other = filepath.Dir(f.mount)
		}
		dev, err := device(other)
		if err != nil {
			return missing(f.dir, err)
		}
		if dev == uint64(own.Dev) { //nolint:unconvert // 32 bits on some machines
			return away(nil, "no disk is mounted at %s", f.mount)
		}
	}
	return nil
}

// Put implements [backup.Place].
func (f *Folder) Put(ctx context.Context, name string, from io.Reader) error {
	if err := checkNew(name); err != nil {
		return err
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	defer root.Close()
	f.sweep(root)
	source := &source{from: backup.Until(ctx, from)}
	part := name + partSuffix
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return refused(errors.Join(fs.ErrExist, err), "there is a backup of that name already")
	}
	if err := f.write(root, part, source); err != nil {
		_ = root.Remove(part) // gone with the disk, perhaps
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case source.err != nil:
			return fmt.Errorf("read what is to be kept: %w", source.err)
		}
		return f.explain(err)
	}
	if err := root.Rename(part, name); err != nil {
		return f.explain(errors.Join(err, root.Remove(part)))
	}
	return f.explain(settle(root))
}

// write makes a file of all there is to read and brings it to the disk.
func (*Folder) write(root *os.Root, part string, from io.Reader) error {
	if err := root.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

// settle brings the names in a folder to the disk.
func settle(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // not all file systems can
		return err
	}
	return nil
}

// sweep removes the parts that were left behind long ago.
func (*Folder) sweep(root *os.Root) {
	all, err := ours(root)
	if err != nil {
		return
	}
	for _, info := range all {
		if isPart(info.Name()) && time.Since(info.ModTime()) > partAge {
			_ = root.Remove(info.Name()) // the next time, then
		}
	}
}

// listMost is how many files of ours a folder may have: so many nobody has made.
const listMost = 10_000

var errTooMany = errors.New("too many files")

// ours lists the backups in a folder and the parts of them, all of them or none.
func ours(root *os.Root) (all []fs.FileInfo, err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1000)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if !entry.Type().IsRegular() || !backup.IsName(entry.Name()) && !isPart(entry.Name()) {
				continue
			}
			info, err := root.Lstat(entry.Name())
			switch {
			case errors.Is(err, fs.ErrNotExist): // meanwhile
			case err != nil:
				return nil, err
			case info.Mode().IsRegular():
				all = append(all, info)
			}
		}
		if len(all) > listMost {
			return nil, errTooMany
		}
	}
}

// List implements [backup.Place].
func (f *Folder) List(context.Context) (list []backup.Stored, err error) {
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, err := ours(root)
	return stored(all), f.explain(err)
}

// Open implements [backup.Place].
func (f *Folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if !backup.IsName(name) {
		return nil, backup.ErrMissing
	}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// A disk may hold a pipe of that name, whose opening would wait for a writer.
	if info, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, backup.ErrMissing
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, f.explain(err)
	}
	return file, nil
}

// Remove implements [backup.Place].
func (f *Folder) Remove(_ context.Context, name string) error {
	if !backup.IsName(name) {
		return backup.ErrMissing
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); errors.Is(err, fs.ErrNotExist) {
		return backup.ErrMissing
	} else if err != nil {
		return f.explain(err)
	}
	return f.explain(settle(root))
}

// Free implements [backup.Place].
func (f *Folder) Free(context.Context) (bytes int64, known bool, err error) {
	root, err := f.open()
	if err != nil {
		return 0, false, err
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return 0, false, f.explain(err)
	}
	defer dir.Close()
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &s); err != nil {
		return 0, false, f.explain(err)
	}
	return int64(s.Bavail) * s.Bsize, true, nil //nolint:unconvert // differs by architecture
}

// explain makes a sentence of an error of the folder.
func (f *Folder) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return refused(err, "there is not enough room in %s", f.dir)
	case errors.Is(err, errTooMany):
		return refused(err, "the folder %s holds too many files; use one of its own for the backups", f.dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return refused(errors.Join(ErrNotAllowed, err), "the service may not write in %s", f.dir)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ESTALE):
		return away(err, "the disk of %s does not answer; was it pulled out, or is it broken?", f.dir)
	}
	return refused(err, "the folder %s cannot be used", f.dir)
}

// missing is the error of a folder that cannot be opened.
func missing(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return away(err, "there is no folder %s", dir)
	case errors.Is(err, fs.ErrPermission):
		return refused(errors.Join(ErrNotAllowed, err), "the service may not look into %s", dir)
	}
	if info, other := os.Stat(dir); other == nil && !info.IsDir() {
		return refused(err, "%s is no folder", dir)
	}
	return refused(err, "the folder %s cannot be used", dir)
}
