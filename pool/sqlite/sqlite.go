package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

const (
	// writerOptions make a commit durable and a transaction exclusive from its first statement.
	writerOptions = "_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=5000&_foreign_keys=on&_stmt_cache_size=64"
	// readerOptions make it impossible to write by mistake.
	readerOptions = "mode=ro&_query_only=on&_busy_timeout=5000&_stmt_cache_size=64"
	// snapshotOptions are for VACUUM INTO, which writes, though not to the source, and so must not be query_only.
	snapshotOptions = "mode=ro&_busy_timeout=5000"
	// journalLimit is the size in bytes to which SQLite cuts the -wal file back after a checkpoint.
	journalLimit = "PRAGMA journal_size_limit = 67108864"
	// readers is the number of read-only connections. More only contend for the same disk.
	readers = 4
)

// Schema says what a database must look like.
type Schema struct {
	// FS holds the migrations, NNNN_name.sql, numbered from 0001 without a gap,
	// in one directory or in several. An embed.FS can be used as it is.
	FS fs.FS
	// ApplicationID marks the file as ours (PRAGMA application_id). It differs
	// from database to database, so that one is never opened as the other.
	ApplicationID int32
}

// DB is an open database: one writing connection and a pool of reading ones.
// Its methods can be called concurrently.
type DB struct {
	path   string
	writer *sql.DB
	reader *sql.DB
}

// Open opens the database at path, creates it when there is none, and applies
// the migrations that it lacks. The directory must exist.
//
// An error is a sentence for the operator when the directory cannot be written
// to, or when the file is not a database or belongs to another program. It is a
// [*NewerError] when the file was made by a newer version. In all these cases
// nothing was changed. A migration that fails leaves the database as the
// migration before it did.
func Open(ctx context.Context, path string, s Schema) (*DB, error) {
	migrations, err := s.migrations()
	if err != nil {
		return nil, err
	}

	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}

	version, _, err := Version(ctx, path, s)
	if err != nil {
		return nil, err
	}

	if err := prepare(path); err != nil {
		return nil, err
	}

	db := &DB{
		path:   path,
		writer: sql.OpenDB(newConnector(path, writerOptions, journalLimit)),
		reader: sql.OpenDB(newConnector(path, readerOptions)),
	}
	db.writer.SetMaxOpenConns(1)
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)

	if err := db.start(ctx, s, version, migrations); err != nil {
		return nil, errors.Join(err, db.Close())
	}

	return db, nil
}

// start brings a database that may be used up to date.
func (d *DB) start(ctx context.Context, s Schema, version int, migrations []migration) error {
	var mode string
	if err := d.writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("open database %s: %w", d.path, err)
	}
	if mode != "wal" {
		return fmt.Errorf("the file system of %s does not support SQLite's write-ahead log; use a local disk", d.path)
	}

	return d.migrate(ctx, s.ApplicationID, version, migrations)
}

// Update runs fn in a transaction of the one writing connection and waits for
// its turn first. The transaction is committed, durably, when fn returns nil. It
// is rolled back when fn returns an error, which Update then returns unchanged,
// when fn panics, and when ctx ends. fn must use only tx and must not call Update.
func (d *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := d.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() {
		// After a commit this says ErrTxDone, and after a failed rollback
		// database/sql throws the connection away: nothing to report.
		_ = tx.Rollback()
	}()

	if err := fn(tx); err != nil {
		return err
	}

	err = tx.Commit()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // the end of ctx rolled back before us
	}
	if err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}

	return nil
}

// Reader returns the read-only connections. They see committed state only;
// several queries that must agree with each other share one sql.Tx. The caller
// must not close it.
func (d *DB) Reader() *sql.DB { return d.reader }

// Path returns the absolute path of the database file.
func (d *DB) Path() string { return d.path }

// Close waits for queries under way, moves the write-ahead log into the file and closes it.
func (d *DB) Close() error {
	// The writer goes last: SQLite does its final checkpoint when the last
	// connection closes, and a read-only one cannot do it.
	if err := errors.Join(d.reader.Close(), d.writer.Close()); err != nil {
		return fmt.Errorf("close database %s: %w", d.path, err)
	}

	return nil
}

// prepare creates an empty database file that only its owner may read and finds
// out whether SQLite can create its -wal and -shm files beside it.
func prepare(path string) error {
	dir := filepath.Dir(path)

	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("the folder %s cannot be written to; create it or give it to the user that runs the pool: %w", dir, err)
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())

	// A file that exists is not opened here: closing it would drop the locks that
	// this process may hold on it (SQLite, "How To Corrupt", 2.2), and another
	// process could then remove the write-ahead log of a database in use.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrExist):
		err = unix.Access(path, unix.R_OK|unix.W_OK)
	}
	if err != nil {
		return fmt.Errorf("the file %s cannot be written to; give it to the user that runs the pool: %w", path, err)
	}

	return nil
}

// connector opens connections without a driver registered under a global name.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func newConnector(path, options string, pragmas ...string) connector {
	hook := func(c *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := c.Exec(p, nil); err != nil {
				return err
			}
		}

		return nil
	}

	// A path may hold the characters that mean something in a URI.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options

	return connector{driver: &sqlite3.SQLiteDriver{ConnectHook: hook}, dsn: dsn}
}

// Connect implements [driver.Connector].
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.driver }
