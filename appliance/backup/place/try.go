package place

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

// Try lays a small file down, reads it back and removes it: the test that an operator
// asks for.
func Try(ctx context.Context, p backup.Place) (err error) {
	name := backup.Name("trial", time.Now(), 1)
	text := []byte(rand.Text())
	if err := p.Put(ctx, name, bytes.NewReader(text)); err != nil {
		return err
	}
	defer func() {
		if left := p.Remove(ctx, name); err == nil {
			err = left
		}
	}()
	file, err := p.Open(ctx, name)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(file, int64(len(text))+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, text) {
		return refused(nil, "what was read back is not what was written")
	}
	return nil
}
