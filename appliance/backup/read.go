package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/sys/unix"
)

// ageIntro is how every file of age begins.
const ageIntro = "age-encryption.org/v1\n"

// Archive is a backup that is being read.
type Archive struct {
	manifest Manifest
	source   *source
	plain    io.Reader
	tar      *tar.Reader
}

// Open decrypts the beginning of a backup. It takes as much memory as the passphrase
// costs, see [ErrCostly].
func Open(ctx context.Context, r io.Reader, passphrase string) (*Archive, error) {
	src := &source{r: Until(ctx, r)}
	in := bufio.NewReader(src)
	intro, _ := in.Peek(len(ageIntro))
	if src.err == nil && string(intro) != ageIntro {
		return nil, ErrNotBackup
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, ErrPassphrase
	}
	identity.SetMaxWorkFactor(workFactorMost)
	plain, err := age.Decrypt(in, identity)
	if err != nil {
		return nil, src.sealed(err)
	}
	return inside(src, plain)
}

// inside reads the beginning of what was encrypted.
func inside(src *source, plain io.Reader) (*Archive, error) {
	a := &Archive{source: src, plain: plain, tar: tar.NewReader(plain)}
	var text []byte
	header, err := a.tar.Next()
	if err == nil {
		err = plainFile(header, File{Name: manifestName, Size: header.Size})
	}
	if err == nil && header.Size > manifestMost {
		err = ErrNotBackup
	}
	if err == nil {
		text, err = io.ReadAll(a.tar)
	}
	if err != nil {
		return nil, a.content(err)
	}
	if a.manifest, err = parseManifest(text); err != nil {
		return nil, err
	}
	return a, nil
}

// Manifest returns what the backup says of itself.
func (a *Archive) Manifest() Manifest { return a.manifest }

// Each calls take for each file, in order. What it reads may be altered or incomplete
// until Each has returned nil. It can be called once.
func (a *Archive) Each(take func(f File, content io.Reader) error) error {
	for _, f := range a.manifest.Files {
		header, err := a.tar.Next()
		if err == nil {
			err = plainFile(header, f)
		}
		if err != nil {
			return a.content(err)
		}
		sum := sha256.New()
		content := &source{r: io.TeeReader(a.tar, sum)}
		err = take(f, content)
		switch {
		case content.err != nil:
			return a.content(content.err)
		case err != nil:
			return err
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return a.content(err)
		}
		if !bytes.Equal(sum.Sum(nil), f.SHA256) {
			return fmt.Errorf("%w (%s)", ErrAltered, f.Name)
		}
	}
	return a.end()
}

// end sees that nothing follows, up to the end that age has authenticated.
func (a *Archive) end() error {
	_, err := a.tar.Next()
	if err == nil {
		return fmt.Errorf("%w (there is more in it than it says)", ErrAltered)
	}
	if !errors.Is(err, io.EOF) {
		return a.content(err)
	}
	n, err := io.CopyN(io.Discard, a.plain, 1)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = errors.New("it goes on behind its end")
	}
	return a.content(err)
}

// Extract writes all files into a folder that has none of them, and has them on the
// disk when it returns nil. Otherwise what it has written is worth nothing. It does not
// begin when fewer than spare bytes would be left free.
func (a *Archive) Extract(folder *os.Root, spare int64) error {
	if err := a.room(folder, spare); err != nil {
		return err
	}
	err := a.Each(func(f File, content io.Reader) error { return extract(folder, f, content) })
	if errors.Is(err, unix.ENOSPC) {
		return ErrNoRoom
	}
	return err
}

func extract(folder *os.Root, f File, content io.Reader) error {
	out, err := folder.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("unpack backup: %w", err)
	}
	_, err = io.Copy(out, content)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("unpack backup: %w", err)
	}
	return nil
}

// room returns ErrNoRoom when the files do not fit on the disk of a folder.
func (a *Archive) room(folder *os.Root, spare int64) error {
	f, err := folder.Open(".")
	if err != nil {
		return fmt.Errorf("unpack backup: %w", err)
	}
	defer f.Close()
	var disk unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &disk); err != nil {
		return fmt.Errorf("unpack backup: %w", err)
	}
	free, need := int64(disk.Bavail)*disk.Bsize, a.manifest.Bytes()+spare //nolint:unconvert // differs by architecture
	if free < need {
		return fmt.Errorf("%w (%d MB are needed and %d MB are free)", ErrNoRoom, need/1e6+1, free/1e6)
	}
	return nil
}

// plainFile refuses an entry that is not exactly the file that is wanted. What tar can
// do besides is not done: links, folders, holes that are not in the archive.
func plainFile(h *tar.Header, want File) error {
	for key := range h.PAXRecords {
		if key != "size" {
			return fmt.Errorf("%w (%s)", ErrAltered, key)
		}
	}
	if h.Typeflag != tar.TypeReg || h.Name != want.Name || h.Size != want.Size {
		return fmt.Errorf("%w (an entry that is not %s)", ErrAltered, want.Name)
	}
	return nil
}

// source remembers how a reader ended, to tell a disk that cannot be read, and a file
// that was cut off, from one that is damaged: to age they are the same.
type source struct {
	r   io.Reader
	n   int64 // bytes read
	end bool
	err error // but for the end
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if errors.Is(err, io.EOF) {
		s.end = true
	} else if err != nil {
		s.err = err
	}
	return n, err
}

// sealed says in words why age does not open a file.
func (s *source) sealed(err error) error {
	switch none, mismatch := errors.AsType[*age.NoIdentityMatchError](err); {
	case s.err != nil:
		return fmt.Errorf("read backup: %w", s.err)
	case mismatch && slices.Equal(none.StanzaTypes, []string{"scrypt"}):
		return ErrPassphrase
	case mismatch:
		return ErrNotBackup // encrypted to a key
	case strings.Contains(err.Error(), "work factor too large"): // age has no value for it
		return ErrCostly
	case cutOff(err):
		return ErrTruncated
	}
	return fmt.Errorf("%w (%w)", ErrAltered, err)
}

// content says in words why the inside of a backup cannot be read.
func (a *Archive) content(err error) error {
	s := a.source
	switch {
	case s.err != nil:
		return fmt.Errorf("read backup: %w", s.err)
	case errors.Is(err, ErrAltered), errors.Is(err, ErrNotBackup):
		return err
	case cutOff(err), s.end && s.n < a.manifest.Bytes():
		return ErrTruncated
	}
	return fmt.Errorf("%w (%w)", ErrAltered, err)
}

func cutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
