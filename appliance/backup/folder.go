package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Folder is a place in a folder of this machine. It is made when the first backup
// comes.
type Folder struct{ Dir string }

// partial names a file that is being written, in front of its name to be.
const partial = ".partial-"

// Put implements [Place]. What a crash left of another one goes first.
func (f Folder) Put(ctx context.Context, name string, content io.Reader) error {
	if err := f.put(ctx, name, content); err != nil {
		return fmt.Errorf("keep backup in %s: %w", f.Dir, err)
	}
	return nil
}

func (f Folder) put(ctx context.Context, name string, content io.Reader) (err error) {
	if !IsName(name) {
		return fmt.Errorf("%q is no name of a backup", name)
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return err
	}
	if err := f.tidy(); err != nil {
		return err
	}
	path, fresh := filepath.Join(f.Dir, name), filepath.Join(f.Dir, partial+name)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	out, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, Until(ctx, content))
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return syncFolder(f.Dir)
}

// tidy removes what was never finished.
func (f Folder) tidy() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name, found := strings.CutPrefix(e.Name(), partial); found && IsName(name) {
			if err := os.Remove(filepath.Join(f.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// List implements [Place].
func (f Folder) List(context.Context) (all []Stored, err error) {
	entries, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	for _, e := range entries { // in the order of their names
		if !e.Type().IsRegular() || !IsName(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list backups: %w", err)
		}
		all = append(all, Stored{e.Name(), info.Size()})
	}
	return slices.Clip(all), nil
}

// Open implements [Place].
func (f Folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if !IsName(name) {
		return nil, ErrMissing
	}
	file, err := os.Open(filepath.Join(f.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	return file, nil
}

// Remove implements [Place].
func (f Folder) Remove(_ context.Context, name string) error {
	if !IsName(name) {
		return ErrMissing
	}
	err := os.Remove(filepath.Join(f.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if err != nil {
		return fmt.Errorf("remove backup: %w", err)
	}
	return syncFolder(f.Dir)
}

// Free implements [Place].
func (f Folder) Free(context.Context) (bytes int64, known bool, err error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(f.Dir, &disk); err != nil {
		return 0, false, fmt.Errorf("measure the disk of %s: %w", f.Dir, err)
	}
	return int64(disk.Bavail) * disk.Bsize, true, nil //nolint:unconvert // differs by architecture
}

// syncFolder makes what was renamed in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
