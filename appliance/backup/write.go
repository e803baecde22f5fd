package backup

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
)

const (
	// workFactor is the logarithm of scrypt's cost: 128 MiB and about half a second on
	// a PC. It makes each guess at a passphrase as dear, and a small box affords it.
	workFactor = 17
	// workFactorMost is what is accepted, that of the age command.
	workFactorMost = 18
)

// Lock is what a backup is encrypted with.
type Lock struct {
	Passphrase string
	// WorkFactor is the logarithm of scrypt's cost, 0 for the usual one; tests have no
	// time for that.
	WorkFactor int
}

// Write writes a backup of the files that m lists, in their order. open opens one of
// them; its content must be what m says of it. What was written is worth nothing
// when there is an error.
func Write(ctx context.Context, w io.Writer, l Lock, m Manifest, open func(name string) (io.ReadCloser, error)) error {
	m.Format, m.Made = Format, m.Made.UTC().Truncate(time.Second)
	if err := m.check(); err != nil {
		return fmt.Errorf("write backup: manifest: %w", err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write backup: manifest: %w", err)
	}
	recipient, err := age.NewScryptRecipient(l.Passphrase)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	recipient.SetWorkFactor(cmp.Or(l.WorkFactor, workFactor))
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	out := tar.NewWriter(sealed)
	manifest := File{Name: manifestName, Size: int64(len(text))}
	if err := add(ctx, out, manifest, m.Made, bytes.NewReader(text)); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := addFile(ctx, out, f, m.Made, open); err != nil {
			return err
		}
	}
	if err := errors.Join(out.Close(), sealed.Close()); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

func addFile(ctx context.Context, out *tar.Writer, f File, made time.Time, open func(name string) (io.ReadCloser, error)) error {
	content, err := open(f.Name)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	defer content.Close()
	sum := sha256.New()
	if err := add(ctx, out, f, made, io.TeeReader(content, sum)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), f.SHA256) {
		return fmt.Errorf("write backup: %s changed meanwhile", f.Name)
	}
	return nil
}

func add(ctx context.Context, out *tar.Writer, f File, made time.Time, content io.Reader) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o600, ModTime: made}
	err := out.WriteHeader(header)
	if err == nil {
		_, err = io.Copy(out, Until(ctx, content))
	}
	if err == nil {
		err = out.Flush() // which tells of a content that is too short
	}
	if err != nil {
		return fmt.Errorf("write backup: %s: %w", f.Name, err)
	}
	return nil
}
