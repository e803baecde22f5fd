package shares

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Copy writes a copy of the share log at from to path, as it is at one moment, without
// the single shares that the sums already hold: windows of blocks, charts and statistics
// are the same with it, and it is smaller by most. The log need not be open; when it is,
// shares are taken meanwhile. Shares in the spool are not in the copy. A log that is
// not there is fs.ErrNotExist.
func Copy(ctx context.Context, from, path string) error {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("copy share log: %w", err)
	}
	whole := path + ".whole"
	err := sqlite.Copy(ctx, from, whole)
	if err == nil {
		err = thin(ctx, whole)
	}
	if err == nil {
		err = sqlite.Copy(ctx, whole, path) // which gives back the room of what was deleted
	}
	if err = errors.Join(err, remove(whole)); err != nil {
		return fmt.Errorf("copy share log: %w", err)
	}

	return nil
}

// thin drops the single shares of a copy.
func thin(ctx context.Context, path string) (err error) {
	db, err := sqlite.Open(ctx, path, Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	return (&Log{db: db}).DropSingles(ctx)
}

// remove deletes a database that is closed.
func remove(path string) error {
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}

	return nil
}
