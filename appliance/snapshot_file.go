package appliance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
)

// openPlain opens a file that a person has named, if it is one that holds data: no
// device, no pipe, and nothing that the kernel makes up while it is read.
func openPlain(path string) (*os.File, int64, error) {
	if !filepath.IsAbs(path) {
		return nil, 0, fmt.Errorf("%q is no full path; one looks like /media/usb/utxo.dat", path)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, 0, cannotRead(err)
	}
	// A pipe would wait for its other end without NONBLOCK.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, cannotRead(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no ordinary file", path)
	}
	if err == nil {
		err = onDisk(f)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// onDisk refuses the file systems in which files are questions to the kernel.
func onDisk(f *os.File) error {
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &system); err != nil {
		return fmt.Errorf("look at the file's disk: %w", err)
	}
	if slices.Contains([]int64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.CGROUP2_SUPER_MAGIC}, int64(system.Type)) {
		return fmt.Errorf("%s is not on a disk", f.Name())
	}
	return nil
}

// cannotRead says why a file cannot be opened, without our words for it.
func cannotRead(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file on this machine; is the disk that holds it mounted?")
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the file is there, but this program may not read it (%w); let everybody read it with chmod a+r, and enter the folders that it is in", fs.ErrPermission)
	}
	return fmt.Errorf("the file cannot be opened: %w", err)
}

// inspectFile looks at the file of an order, as far as that takes no time.
func (k *snapshotKeeper) inspectFile(ctx context.Context, o *snapshotOrder) error {
	f, length, err := openPlain(o.wish.File)
	if err != nil {
		return err
	}
	header, err := snapshot.ReadHeader(f)
	if err == nil {
		o.base, err = snapshot.Judge(header, length, k.a.network, k.bases)
	}
	if err == nil {
		err = k.fits(ctx, o.base, length)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	o.file = f
	return nil
}

// copyChecked copies a snapshot to where the node reads it, and looks at every
// coin on the way. A copy that is there in the end is whole.
func (k *snapshotKeeper) copyChecked(ctx context.Context, from *os.File) (base snapshot.Base, err error) {
	info, err := from.Stat()
	if err == nil {
		_, err = from.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = os.MkdirAll(k.dir(), 0o750)
	}
	if err != nil {
		return base, err
	}
	part := k.file() + ".part"
	to, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return base, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	source := &watchedReader{ctx: ctx, from: from, total: info.Size(), tell: k.progress}
	r := bufio.NewReaderSize(io.TeeReader(source, to), 1<<20)
	header, err := snapshot.ReadHeader(r)
	if err == nil {
		base, err = snapshot.Judge(header, info.Size(), k.a.network, k.bases)
	}
	if err == nil {
		err = snapshot.Walk(r, header, base)
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return base, err
	}
	return base, os.Rename(part, k.file())
}

// progress shows how much is copied, and tells the pages with each percent.
func (k *snapshotKeeper) progress(done, total int64) {
	k.mu.Lock()
	before := k.now.Done
	k.now.Done, k.now.Total = done, total
	k.mu.Unlock()
	if step := max(total/100, 1<<20); done/step != before/step {
		k.tell("")
	}
}

// watchedReader counts what is read, and ends when its context does.
type watchedReader struct {
	ctx         context.Context // of one copy
	from        io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (r *watchedReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.from.Read(p)
	r.done += int64(n)
	r.tell(r.done, r.total)
	return n, err
}
