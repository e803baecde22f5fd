package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/mattn/go-sqlite3"
)

// Contents is what a database of another program says of itself.
type Contents struct {
	ApplicationID uint32
	Tables        []string
}

// ErrNoDatabase says that a file is no SQLite database, or a damaged one.
var ErrNoDatabase = errors.New("no whole database")

// foreignOptions are for a file that nobody writes to, and that is not ours.
const foreignOptions = "mode=ro&immutable=1&_query_only=on"

// Examine looks at a database that comes from somewhere else and checks that it
// is whole. What its schema would have SQLite do is not done, and nothing is
// changed. It returns [ErrNoDatabase] when the file is none.
func Examine(ctx context.Context, path string) (c Contents, err error) {
	db := sql.OpenDB(newConnector(path, foreignOptions, "PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON"))
	defer func() { err = errors.Join(err, db.Close()) }()

	var pageSize int64
	var verdict string
	err = db.QueryRowContext(ctx, `
		SELECT (SELECT application_id & 0xffffffff FROM pragma_application_id),
		       (SELECT page_size                   FROM pragma_page_size),
		       (SELECT integrity_check             FROM pragma_integrity_check LIMIT 1)`).Scan(&c.ApplicationID, &pageSize, &verdict)
	var failure sqlite3.Error
	switch {
	case errors.As(err, &failure) && (failure.Code == sqlite3.ErrNotADB || failure.Code == sqlite3.ErrCorrupt):
		return c, ErrNoDatabase
	case err != nil:
		return c, fmt.Errorf("examine database: %w", err)
	case verdict != "ok":
		return c, fmt.Errorf("%w: %s", ErrNoDatabase, verdict)
	}
	// SQLite takes a page that was cut off for one that ends with zeros.
	if info, err := os.Stat(path); err != nil || info.Size()%pageSize != 0 {
		return c, errors.Join(ErrNoDatabase, err)
	}
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
	if err != nil {
		return c, fmt.Errorf("examine database: %w", err)
	}
	c.Tables, err = Collect(rows, func(rows *sql.Rows) (name string, err error) {
		return name, rows.Scan(&name)
	})
	return c, err
}

// LookDB is Look for who wants a [DB], whose Update then fails.
func LookDB(path string) *DB { return &DB{path: path, writer: Look(path), reader: Look(path)} }

// Look opens a database of ours for reading alone, beside a process that has it open
// or without one. Its schema may be of any version: nothing is brought up to date.
func Look(path string) *sql.DB { return sql.OpenDB(newConnector(path, "mode=ro&"+readerOptions)) }
