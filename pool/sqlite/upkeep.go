package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes a compact, consistent copy of the last committed state to path
// and replaces a file of that name. Updates go on meanwhile. The copy is checked
// and on the disk, under its name, when Backup returns nil; otherwise what stood
// at path is still there.
func (d *DB) Backup(ctx context.Context, path string) error { return Copy(ctx, d.path, path) }

// Copy is [DB.Backup] of a database that need not be open, of any version.
func Copy(ctx context.Context, from, path string) error {
	if err := backup(ctx, from, path); err != nil {
		return fmt.Errorf("back up %s: %w", from, err)
	}

	return nil
}

func backup(ctx context.Context, from, path string) (err error) {
	partial := path + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// SQLite accepts an empty file as the target and keeps its permissions.
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(partial)
		}
	}()

	if err := vacuumInto(ctx, from, partial); err != nil {
		return err
	}
	if err := checkFile(ctx, partial); err != nil {
		return err
	}

	// VACUUM INTO does not sync what it wrote.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(partial, path); err != nil {
		return err
	}

	return syncDir(filepath.Dir(path))
}

// vacuumInto copies over a connection of its own: the writer must stay free.
func vacuumInto(ctx context.Context, from, path string) (err error) {
	source := sql.OpenDB(newConnector(from, snapshotOptions))
	defer func() { err = errors.Join(err, source.Close()) }()

	_, err = source.ExecContext(ctx, "VACUUM INTO ?", path)

	return err
}

// checkFile checks a database that nobody has open.
func checkFile(ctx context.Context, path string) (err error) {
	db := sql.OpenDB(newConnector(path, "mode=ro&immutable=1"))
	defer func() { err = errors.Join(err, db.Close()) }()

	return quickCheck(ctx, db)
}

// Check reads the whole database and returns an error that names what is broken
// in it (PRAGMA quick_check). It takes time in proportion to the file's size and holds up nobody.
func (d *DB) Check(ctx context.Context) error {
	if err := quickCheck(ctx, d.reader); err != nil {
		return fmt.Errorf("check %s: %w", d.path, err)
	}

	return nil
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "PRAGMA quick_check(10)")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		found = append(found, line)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(found) == 1 && found[0] == "ok" {
		return nil
	}

	return fmt.Errorf("database is damaged: %s", strings.Join(found, "; "))
}

// Touch makes the smallest change there is and commits it, as durably as any
// other, to see that this can be done: the schema's number is written over itself.
func (d *DB) Touch(ctx context.Context) error {
	return d.Update(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return fmt.Errorf("touch database: %w", err)
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			return fmt.Errorf("touch database: %w", err)
		}
		return nil
	})
}

// Checkpoint moves the whole write-ahead log into the database file and empties
// it. SQLite does this by itself as the log grows; this is for upkeep and before
// copying files. It is an error when a reader kept the log in use.
func (d *DB) Checkpoint(ctx context.Context) error {
	var busy, frames, moved int
	err := d.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("a reader holds the write-ahead log")
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", d.path, err)
	}

	return nil
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}

	return errors.Join(f.Sync(), f.Close())
}
