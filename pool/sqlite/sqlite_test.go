package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/sqlite"
)

const appID = 0x444d0001

// schema makes migrations out of SQL texts.
func schema(files ...string) sqlite.Schema {
	dir := fstest.MapFS{"schema/README.md": {Data: []byte("not a migration")}}
	for i, text := range files {
		name := "schema/000" + string(rune('1'+i)) + "_step.sql"
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}

	return sqlite.Schema{FS: dir, ApplicationID: appID}
}

const (
	makeParent = "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;"
	makeChild  = "CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent) STRICT; INSERT INTO parent VALUES (100);"
)

func open(t *testing.T, path string, s sqlite.Schema) *sqlite.DB {
	t.Helper()

	db, err := sqlite.Open(t.Context(), path, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})

	return db
}

// insert adds rows to the table parent.
func insert(t *testing.T, db *sqlite.DB, ids ...int) {
	t.Helper()

	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO parent VALUES (?)", id); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parents reads the table parent.
func parents(t *testing.T, db *sqlite.DB) []int {
	t.Helper()

	rows, err := db.Reader().QueryContext(t.Context(), "SELECT id FROM parent ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()

	var ids []int
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}

	return ids
}

func TestPragmas(t *testing.T) {
	// The characters are those that a URI gives a meaning.
	db := open(t, filepath.Join(t.TempDir(), "a b?c#d%20e.db"), schema(makeParent))

	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
		"application_id": "1145896961", "user_version": "1", "journal_size_limit": "67108864",
	} {
		err := db.Update(t.Context(), func(tx *sql.Tx) error {
			var got string
			if err := tx.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("PRAGMA %s = %s, want %s", pragma, got, want)
			}

			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}

	info, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("permissions of the file = %o, want 600", got)
	}
}

func TestUpdate(t *testing.T) {
	ctx := t.Context()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), schema(makeParent, makeChild))
	insertInto := func(tx *sql.Tx, id int) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO parent VALUES (?)", id)

		return err
	}

	if err := db.Update(ctx, func(tx *sql.Tx) error { return insertInto(tx, 1) }); err != nil {
		t.Error(err)
	}

	cause := errors.New("cause")
	err := db.Update(ctx, func(tx *sql.Tx) error { return errors.Join(insertInto(tx, 2), cause) })
	if !errors.Is(err, cause) {
		t.Errorf("Update with an error in fn = %v, want that error", err)
	}

	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v, want the panic of fn", got)
			}
		}()
		_ = db.Update(ctx, func(tx *sql.Tx) error {
			_ = insertInto(tx, 3)
			panic("boom")
		})
	}()

	cancelled, cancel := context.WithCancel(ctx)
	err = db.Update(cancelled, func(tx *sql.Tx) error {
		err := insertInto(tx, 4)
		cancel()

		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update whose context ends = %v, want context.Canceled", err)
	}

	err = db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO child VALUES (99)")

		return err
	})
	if err == nil {
		t.Error("a child without a parent was accepted")
	}

	if _, err := db.Reader().ExecContext(ctx, "INSERT INTO parent VALUES (5)"); err == nil {
		t.Error("a reader wrote")
	}

	if diff := cmp.Diff([]int{1, 100}, parents(t, db)); diff != "" {
		t.Errorf("only the first update may have left a trace (-want +got):\n%s", diff)
	}
}

// Updates that read before they write would fail or lose increments if they did
// not take the write lock at the beginning. The two handles stand for two programs.
func TestConcurrentUpdates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := schema("CREATE TABLE counter (n INTEGER NOT NULL) STRICT; INSERT INTO counter VALUES (0);")
	handles := []*sqlite.DB{open(t, path, s), open(t, path, s)}

	const writers, rounds = 4, 10
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range rounds {
				err := handles[i%2].Update(t.Context(), func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
						return err
					}
					_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = ?", n+1)

					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()

	var n int
	if err := handles[0].Reader().QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != writers*rounds {
		t.Errorf("counter = %d, want %d", n, writers*rounds)
	}
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "x.db"), schema(makeParent))
	target := filepath.Join(dir, "copy.db")

	insert(t, db, 1)
	if err := db.Backup(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	insert(t, db, 2)

	// A backup needs no turn of the writer, and replaces the one before it.
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO parent VALUES (3)"); err != nil {
			return err
		}

		return db.Backup(t.Context(), target)
	})
	if err != nil {
		t.Fatal(err)
	}

	backup := open(t, target, schema(makeParent))
	if diff := cmp.Diff([]int{1, 2}, parents(t, backup)); diff != "" {
		t.Errorf("backup differs from what was committed (-want +got):\n%s", diff)
	}

	if err := db.Backup(t.Context(), filepath.Join(dir, "missing", "copy.db")); err == nil {
		t.Error("a backup into a missing folder succeeded")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); left != nil {
		t.Errorf("partial files are left: %v", left)
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, path, schema("CREATE TABLE t (x TEXT NOT NULL) STRICT; CREATE INDEX i ON t (x);"))

	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT 'row ' || i FROM n")

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatalf("Check of a sound database: %v", err)
	}

	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[3*4096:], strings.Repeat("rot", 4096))
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(damaged, raw, 0o600); err != nil {
		t.Fatal(err)
	}

	db = open(t, damaged, schema("CREATE TABLE t (x TEXT NOT NULL) STRICT; CREATE INDEX i ON t (x);"))
	if err := db.Check(t.Context()); err == nil {
		t.Error("Check of a damaged database found nothing")
	}
	target := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Backup(t.Context(), target); err == nil {
		t.Error("Backup of a damaged database succeeded")
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a bad backup was left behind: %v", err)
	}
}

func TestCheckpoint(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), schema(makeParent))
	insert(t, db, 1)

	if err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != 0 {
		t.Errorf("the write-ahead log has %d bytes after a checkpoint", info.Size())
	}
}
