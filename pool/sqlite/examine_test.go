package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dmpool/dmpool/pool/sqlite"
)

func TestExamine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	db := open(t, path, schema(makeParent))
	insert(t, db, 1)
	copied := filepath.Join(dir, "copy.db")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	got, err := sqlite.Examine(t.Context(), copied)
	if err != nil || got.ApplicationID != appID || !slices.Equal(got.Tables, []string{"parent"}) {
		t.Errorf("Examine = %+v, %v", got, err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := slices.Clone(whole)
	for i := 4096; i < len(spoiled); i++ {
		spoiled[i] ^= 0x5a
	}
	for name, content := range map[string][]byte{"text": []byte("this is no database"), "half": whole[:len(whole)/2+100], "spoiled": spoiled} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Examine(t.Context(), file); !errors.Is(err, sqlite.ErrNoDatabase) {
			t.Errorf("%s: %v, want %v", name, err, sqlite.ErrNoDatabase)
		}
	}
	if _, err := sqlite.Examine(t.Context(), filepath.Join(dir, "missing")); err == nil || errors.Is(err, sqlite.ErrNoDatabase) {
		t.Errorf("a file that is not there: %v", err)
	}
	entries, err := filepath.Glob(copied + "*")
	if err != nil || len(entries) != 1 {
		t.Errorf("looking left files behind: %v, %v", entries, err)
	}
}
