package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// snapshot reads all files of a directory.
func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}

	return files
}

func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")

	db, err := sqlite.Open(t.Context(), path, schema(makeParent))
	if err != nil {
		t.Fatal(err)
	}
	insert(t, db, 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if version, newest, err := sqlite.Version(t.Context(), path, schema(makeParent, makeChild)); err != nil || version != 1 || newest != 2 {
		t.Errorf("Version = %d of %d, %v, want 1 of 2", version, newest, err)
	}
	kept := filepath.Join(dir, "kept.db")
	if err := sqlite.Copy(t.Context(), path, kept); err != nil {
		t.Fatal(err)
	}

	// The third file fails after having done something: it must leave no trace, the second must stay.
	_, err = sqlite.Open(t.Context(), path, schema(makeParent, makeChild, "INSERT INTO parent VALUES (7); INSERT INTO nowhere VALUES (1);"))
	if err == nil || !strings.Contains(err.Error(), "0003_step.sql") {
		t.Fatalf("Open with a bad migration = %v, want an error with the file's name", err)
	}

	db = open(t, path, schema(makeParent, makeChild, "INSERT INTO parent VALUES (8);"))
	if diff := cmp.Diff([]int{1, 8, 100}, parents(t, db)); diff != "" {
		t.Errorf("rows after three migrations (-want +got):\n%s", diff)
	}

	before := open(t, kept, schema(makeParent))
	if diff := cmp.Diff([]int{1}, parents(t, before)); diff != "" {
		t.Errorf("rows in the copy made before migration 2 (-want +got):\n%s", diff)
	}
}

func TestOpenNewer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")

	// Once with everything in the file, once as a crash leaves it: with a write-ahead log.
	db, err := sqlite.Open(t.Context(), path, schema(makeParent, makeChild))
	if err != nil {
		t.Fatal(err)
	}
	crashed := t.TempDir()
	for name, content := range snapshot(t, dir) {
		if err := os.WriteFile(filepath.Join(crashed, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	for _, dir := range []string{dir, crashed} {
		path := filepath.Join(dir, "x.db")
		before := snapshot(t, dir)

		_, err = sqlite.Open(t.Context(), path, schema(makeParent))

		var newer *sqlite.NewerError
		if !errors.As(err, &newer) {
			t.Fatalf("Open of a newer database = %v, want a NewerError", err)
		}
		if diff := cmp.Diff(&sqlite.NewerError{Path: path, Version: 2, Known: 1}, newer); diff != "" {
			t.Errorf("NewerError (-want +got):\n%s", diff)
		}
		for name, content := range snapshot(t, dir) {
			// The -shm file is shared memory between readers, not data.
			if !strings.HasSuffix(name, "-shm") && !bytes.Equal(content, before[name]) {
				t.Errorf("%s was changed", name)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}

		return path
	}
	foreign := func(name, statements string) string {
		path := filepath.Join(dir, name)
		db := open(t, path, sqlite.Schema{FS: fstest.MapFS{}, ApplicationID: 0})
		if err := db.Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), statements); return err }); err != nil {
			t.Fatal(err)
		}

		return path
	}
	holed := fstest.MapFS{"0001_a.sql": {Data: []byte(makeParent)}, "0003_c.sql": {Data: []byte(makeChild)}}

	tests := []struct {
		name   string
		path   string
		schema sqlite.Schema
		want   string
	}{
		{"missing folder", filepath.Join(dir, "missing", "x.db"), schema(makeParent), "cannot be written to"},
		{"folder is a file", filepath.Join(file("plain", nil), "x.db"), schema(makeParent), "cannot be reached"},
		{"not a database", file("letter.txt", []byte(strings.Repeat("Dear miner, ", 100))), schema(makeParent), "is not a database"},
		{"tables of another program", foreign("tables.db", "CREATE TABLE t (x)"), schema(makeParent), "belongs to another program"},
		{"application of another program", foreign("app.db", "PRAGMA application_id = 7"), schema(makeParent), "belongs to another program"},
		{"a migration is missing", filepath.Join(dir, "x.db"), sqlite.Schema{FS: holed, ApplicationID: appID}, "0003_c.sql stands where 0002_"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := content(test.path)
			db, err := sqlite.Open(t.Context(), test.path, test.schema)
			if err == nil {
				_ = db.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open = %v, want a sentence with %q", err, test.want)
			}
			if !bytes.Equal(before, content(test.path)) {
				t.Error("the file was changed")
			}
		})
	}
}

// content reads a file that need not exist.
func content(path string) []byte {
	raw, _ := os.ReadFile(path)

	return raw
}

func TestOpenReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}

	_, err := sqlite.Open(t.Context(), filepath.Join(dir, "x.db"), schema(makeParent))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "cannot be written to") {
		t.Errorf("Open in a read-only folder = %v, want a sentence", err)
	}
}
