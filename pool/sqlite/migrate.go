package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// NewerError says that a database was made by a newer version of the program.
// Nothing of the file was changed.
type NewerError struct {
	Path    string // of the database
	Version int    // number of the last migration it has seen
	Known   int    // number of the last migration this program knows
}

// Error returns a sentence for the operator.
func (e *NewerError) Error() string {
	return fmt.Sprintf("%s was made by a newer version of DMPool (its schema is %d, this program knows %d); "+
		"install that version again, or see with `dmpool rollback` what going back would lose; nothing was changed", e.Path, e.Version, e.Known)
}

// migration is one file of a schema.
type migration struct {
	name string
	sql  string
}

// migrations reads the schema's files in order.
func (s Schema) migrations() ([]migration, error) {
	var list []migration

	err := fs.WalkDir(s.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".sql" {
			return err
		}
		text, err := fs.ReadFile(s.FS, name)
		list = append(list, migration{path.Base(name), string(text)})

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}

	slices.SortFunc(list, func(a, b migration) int { return strings.Compare(a.name, b.name) })
	for i, m := range list {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(m.name, want) {
			return nil, fmt.Errorf("read migrations: %s stands where %sname.sql must be", m.name, want)
		}
	}

	return list, nil
}

// Version returns the number of the last migration that the database at path has
// seen, 0 when there is none, and of the newest one that this program knows. Its
// errors are those of [Open]. Nothing is changed.
func Version(ctx context.Context, path string, s Schema) (version, newest int, err error) {
	migrations, err := s.migrations()
	if err != nil {
		return 0, 0, err
	}
	version, err = inspect(ctx, path, s.ApplicationID)
	if err == nil && version > len(migrations) {
		err = &NewerError{Path: path, Version: version, Known: len(migrations)}
	}

	return version, len(migrations), err
}

// View opens a database of any version for reading, without bringing it up to
// date. The caller closes it.
func View(path string) *sql.DB {
	options := readerOptions
	// Even a reader creates a -shm file, unless it is told that nobody writes.
	// That is true when there is no -wal file.
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		options += "&immutable=1"
	}

	return sql.OpenDB(newConnector(path, options))
}

// inspect returns the schema version of the file at path, 0 when it is not there
// or empty, and an error when it is not ours. It changes nothing.
func inspect(ctx context.Context, path string, applicationID int32) (version int, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("the database %s cannot be reached: %w", path, err)
	}

	// Even a reader creates a -shm file, unless it is told that nobody writes.
	// That is true when there is no -wal file.
	options := snapshotOptions
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		options += "&immutable=1"
	}
	db := sql.OpenDB(newConnector(path, options))
	defer func() { err = errors.Join(err, db.Close()) }()

	var id int32
	var tables int
	err = db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
		       (SELECT user_version   FROM pragma_user_version),
		       (SELECT count(*)       FROM sqlite_schema)`).Scan(&id, &version, &tables)

	var failure sqlite3.Error
	switch {
	case errors.As(err, &failure) && failure.Code == sqlite3.ErrNotADB:
		return 0, fmt.Errorf("the file %s is not a database; move it away or choose another folder", path)
	case err != nil:
		return 0, fmt.Errorf("the database %s cannot be read: %w", path, err)
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("the database %s belongs to another program; move it away or choose another folder", path)
	}

	return version, nil
}

// migrate applies the migrations that follow version.
func (d *DB) migrate(ctx context.Context, applicationID int32, version int, migrations []migration) error {
	for i := version; i < len(migrations); i++ {
		m := migrations[i]
		err := d.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, m.sql); err != nil {
				return err
			}
			// Both numbers live in the file's header, which is part of the
			// transaction. A pragma takes no placeholder.
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, i+1))

			return err
		})
		if err != nil {
			return fmt.Errorf("migrate %s with %s: %w", d.path, m.name, err)
		}
	}

	return nil
}
