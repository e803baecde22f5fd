package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHash is the error of a file that is not the release it should be.
var ErrHash = errors.New("the file is not the published one")

// Progress hears how many bytes of how many have arrived; a total of -1 is not
// known.
type Progress func(done, total int64)

// fetch downloads a file into the one called part and goes on where an earlier
// fetch was cut off. What has arrived stays for the next one, except where it
// is of no use or fills the disk.
func (s Source) fetch(ctx context.Context, path, part string, progress Progress) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open download: %w", err)
	}
	defer f.Close()
	d := download{source: s, path: path, file: f, markFile: part + ".mark", progress: progress}
	client := s.client()
	defer client.CloseIdleConnections()

	pause, most := s.Pause, int64(0)
	for tries := 1; ; tries++ {
		err := d.once(ctx, client)
		if err == nil {
			return errors.Join(f.Sync(), remove(d.markFile))
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrNoSpace), errors.Is(err, ErrTooLarge):
			return errors.Join(err, remove(part, d.markFile))
		case errors.Is(err, ErrStrayed), errors.Is(err, ErrMissing):
			return err
		}
		if d.have > most { // it came further than ever
			tries, pause, most = 1, s.Pause, d.have
		}
		if tries >= s.Tries {
			return fmt.Errorf("the download does not get on: %w; what has arrived is kept, and another try goes on from there", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// download is the state of one fetch over its tries.
type download struct {
	source   Source
	path     string
	file     *os.File
	markFile string
	have     int64
	progress Progress
}

var errStalled = errors.New("nothing arrives any more")

// once asks for what is missing and takes it.
func (d *download) once(ctx context.Context, client *http.Client) error {
	end, err := d.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("look at download: %w", err)
	}
	mark, _ := os.ReadFile(d.markFile) // without one it starts over
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a, err := d.source.request(ctx, client, d.path, resumption{end, string(mark)})
	if errors.Is(err, errRange) {
		return errors.Join(err, d.file.Truncate(0))
	}
	if err != nil {
		return err
	}
	defer a.body.Close()
	if a.from == 0 && end > 0 {
		if err := d.file.Truncate(0); err != nil {
			return fmt.Errorf("start download over: %w", err)
		}
	}
	if err := os.WriteFile(d.markFile, []byte(a.mark), 0o600); err != nil {
		return noSpace(err)
	}
	if _, err := d.file.Seek(a.from, io.SeekStart); err != nil {
		return fmt.Errorf("continue download: %w", err)
	}
	if err := enough(d.file, max(a.total, a.from)-a.from); err != nil {
		return err
	}
	d.have = a.from
	err = d.take(a, cancel)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// take stores the body, and gives up when nothing comes for too long.
func (d *download) take(a answer, cancel context.CancelCauseFunc) error {
	watch := time.AfterFunc(d.source.Patience, func() { cancel(errStalled) })
	defer watch.Stop()
	buffer := make([]byte, 128<<10)
	for {
		n, err := a.body.Read(buffer)
		if n > 0 {
			watch.Reset(d.source.Patience)
			if d.have+int64(n) > d.source.Limit {
				return fmt.Errorf("%w: it does not end", ErrTooLarge)
			}
			if _, err := d.file.Write(buffer[:n]); err != nil {
				return noSpace(err)
			}
			d.have += int64(n)
			d.progress(d.have, a.total)
		}
		switch {
		case errors.Is(err, io.EOF) && a.total >= 0 && d.have < a.total:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// enough tells whether n more bytes fit on the disk that f lies on.
func enough(f *os.File, n int64) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < n+room {
		return fmt.Errorf("%w: %d MB are needed, %d MB are free", ErrNoSpace, (n+room)/1e6, free/1e6)
	}
	return nil
}

// noSpace names the error of a full disk.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: it became full in the middle of the file", ErrNoSpace)
	}
	return fmt.Errorf("write download: %w", err)
}

// hashFile returns the SHA-256 of a file.
func hashFile(name string) (h Hash, err error) {
	f, err := os.Open(name)
	if err != nil {
		return h, fmt.Errorf("read file to check: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return h, fmt.Errorf("read file to check: %w", err)
	}
	return Hash(hash.Sum(nil)), nil
}

// remove removes files that need not exist.
func remove(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("clear up after download: %w", err))
		}
	}
	return errors.Join(errs...)
}

// discard removes what is of no use any more. What stays in spite of it, Prepare
// clears away.
func discard(name string) { _ = os.RemoveAll(name) }

// sync puts a file, or the names in a folder, onto the disk.
func sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
