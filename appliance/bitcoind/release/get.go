package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// Get downloads a release, checks it and installs it. It goes on where an
// earlier download was cut off. A file that turns out to be another one is
// thrown away.
func (f Folder) Get(ctx context.Context, s Source, r Release, progress Progress) error {
	if v := r.Version; f.Verify(v) == nil {
		return nil
	}
	part, err := f.fetch(ctx, s, r, progress)
	if err != nil {
		return err
	}
	return f.use(ctx, r, part)
}

// fetch downloads a release and returns where it lies, whatever it is.
func (f Folder) fetch(ctx context.Context, s Source, r Release, progress Progress) (string, error) {
	part := f.at("download", r.File()+".part")
	s = s.withDefaults()
	if err := s.fetch(ctx, r.Version.Dir()+r.File(), part, progress); err != nil {
		return "", fmt.Errorf("download %s: %w", r.File(), err)
	}
	return part, nil
}

// use installs what was downloaded, which is not needed any more then, and of
// no use if it cannot be.
func (f Folder) use(ctx context.Context, r Release, part string) error {
	if err := f.install(ctx, r, part); err != nil {
		if ctx.Err() != nil {
			return err // the next start goes on from here
		}
		return errors.Join(err, remove(part))
	}
	return remove(part)
}

// ErrUnknown is the error of an upload that is none of the releases it may be.
var ErrUnknown = errors.New("this file is none of the releases that DMPool knows")

// Upload takes a release that a person has downloaded elsewhere, and finds out
// by its hash which of the known ones it is. It reads no more than limit bytes,
// 0 is the limit of a download.
func (f Folder) Upload(ctx context.Context, content io.Reader, limit int64, known []Release, progress Progress) (Release, error) {
	r, part, err := f.take(ctx, content, limit, known, progress)
	if err != nil {
		return r, err
	}
	defer discard(part)
	return r, f.install(ctx, r, part)
}

// take stores what comes, and returns which of the known releases it is and where
// it lies. The caller discards it.
func (f Folder) take(ctx context.Context, content io.Reader, limit int64, known []Release, progress Progress) (r Release, name string, err error) {
	if limit <= 0 {
		limit = Source{}.withDefaults().Limit
	}
	part, err := os.CreateTemp(f.at("download"), "upload-*")
	if err != nil {
		return r, "", fmt.Errorf("take upload: %w", err)
	}
	defer func() {
		part.Close()
		if err != nil {
			discard(part.Name())
		}
	}()
	hash, err := receive(ctx, part, content, limit, progress)
	if err != nil {
		return r, "", fmt.Errorf("take upload: %w", err)
	}
	for _, r := range known {
		if r.SHA256 == hash {
			return r, part.Name(), nil
		}
	}
	return r, "", fmt.Errorf("%w: its SHA-256 is %s. Download %s again, or another version from the list", ErrUnknown, hash, fileFor(f.Platform, known))
}

// fileFor names the file that a person should look for.
func fileFor(p Platform, known []Release) string {
	for _, r := range known {
		if r.Platform == p {
			return r.File()
		}
	}
	return "the release"
}

// receive stores what comes and hashes it.
func receive(ctx context.Context, f *os.File, content io.Reader, limit int64, progress Progress) (h Hash, err error) {
	hash := sha256.New()
	buffer := make([]byte, 128<<10)
	var done int64
	for ctx.Err() == nil {
		n, err := content.Read(buffer)
		if done += int64(n); done > limit {
			return h, ErrTooLarge
		}
		if n > 0 {
			if err := enough(f, int64(n)); err != nil {
				return h, err
			}
			hash.Write(buffer[:n])
			if _, err := f.Write(buffer[:n]); err != nil {
				return h, noSpace(err)
			}
			progress(done, -1)
		}
		if errors.Is(err, io.EOF) {
			return Hash(hash.Sum(nil)), nil
		}
		if err != nil {
			return h, err
		}
	}
	return h, context.Cause(ctx)
}
