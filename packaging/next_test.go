//go:build nspawn

package packaging

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// The next version, to which this one is upgraded, is this one with one migration more
// of the ledger. So what is tried is the program that is released, on either side: as
// the old one that a newer one takes the place of, and as the one that takes it.

const nextVersion = "9.9.9"

//go:embed testdata/next.sql
var nextMigration []byte

// nextSchema is how the next version keeps the ledger.
func nextSchema(t *testing.T) (s sqlite.Schema, last string) {
	t.Helper()
	files, all := fstest.MapFS{}, 0
	err := fs.WalkDir(ledger.Schema.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all++
		text, err := fs.ReadFile(ledger.Schema.FS, name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	last = fmt.Sprintf("schema/%04d_next.sql", all+1)
	files[last] = &fstest.MapFile{Data: nextMigration}
	return sqlite.Schema{FS: files, ApplicationID: ledger.Schema.ApplicationID}, last
}

// buildNext builds the program of the next version.
func buildNext(t *testing.T, to string) {
	t.Helper()
	_, last := nextSchema(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(here, "../pool/ledger", last): filepath.Join(here, "testdata/next.sql"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "go", "build", "-overlay", overlay, "-ldflags", "-s -w -X main.release="+nextVersion, "-o", to, "../cmd/dmpool")
}

// books are the books of the box, as they were at one moment.
type books struct {
	version int    // of the ledger's schema
	events  int64  // how many there are
	head    string // hash of the last one, which vouches for all of them
	db      *sqlite.DB
}

// lookAtBooks copies the books of a pool that runs, and checks that they balance.
func lookAtBooks(t *testing.T) (b books) {
	t.Helper()
	ctx, path := context.WithoutCancel(t.Context()), filepath.Join(t.TempDir(), "ledger.db")
	if err := sqlite.Copy(ctx, "/var/lib/dmpool/practice/ledger.db", path); err != nil {
		t.Fatal(err)
	}
	schema, _ := nextSchema(t)
	var err error
	if b.version, _, err = sqlite.Version(ctx, path, schema); err != nil {
		t.Fatal(err)
	}
	if b.db, err = sqlite.Open(ctx, path, schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	if err := ledger.New(b.db).Check(ctx); err != nil {
		t.Errorf("the books do not balance: %v", err)
	}
	if err := b.db.Reader().QueryRowContext(ctx, `SELECT MAX(id) FROM event`).Scan(&b.events); err != nil {
		t.Fatal(err)
	}
	b.head = b.hash(t, b.events)
	return b
}

// hash is that of the event of that number, empty when there is none.
func (b books) hash(t *testing.T, id int64) (hash string) {
	t.Helper()
	const query = `SELECT COALESCE(MAX(hex(hash)), '') FROM event WHERE id = ?`
	if err := b.db.Reader().QueryRowContext(t.Context(), query, id).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return hash
}

// goOn sees that books have everything that older ones had, to the satoshi, and are
// written as version says.
func (b books) goOn(t *testing.T, older books, version int) {
	t.Helper()
	if b.hash(t, older.events) != older.head {
		t.Errorf("the books do not go on from what they were: %d events then, %d now", older.events, b.events)
	}
	if b.version != version {
		t.Errorf("the ledger is of schema %d, want %d", b.version, version)
	}
}
