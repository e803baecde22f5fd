package backup_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/backup"
)

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "backups")
	f := backup.Folder{Dir: dir}
	if all, err := f.List(t.Context()); err != nil || all != nil {
		t.Errorf("before there is a folder: %v, %v", all, err)
	}
	name, other := backup.Name("main", made, 1), backup.Name("main", made, 2)
	if err := f.Put(t.Context(), other, io.MultiReader(strings.NewReader("hal"), iotest.ErrReader(errors.New("pulled out")))); err == nil {
		t.Error("half a backup was kept")
	}
	left := filepath.Join(dir, ".partial-"+other)
	if err := os.WriteFile(left, []byte("of a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), name, strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), name, strings.NewReader("another")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	for _, stray := range []string{"notes.txt", "dmpool-main.age", "dmpool-main-20261123-020000.age.bak"} {
		if err := os.WriteFile(filepath.Join(dir, stray), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := f.List(t.Context())
	if diff := cmp.Diff([]backup.Stored{{Name: name, Size: 5}}, all); err != nil || diff != "" {
		t.Errorf("list: %v\n%s", err, diff)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	in, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); err != nil || string(text) != "whole" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"../secret", "notes.txt", "", other} {
		if err := f.Put(t.Context(), bad, strings.NewReader("x")); err == nil && bad != other {
			t.Errorf("%q was taken", bad)
		}
		if bad == other {
			continue
		}
		if _, err := f.Open(t.Context(), bad); !errors.Is(err, backup.ErrMissing) {
			t.Errorf("open %q: %v", bad, err)
		}
		if err := f.Remove(t.Context(), bad); !errors.Is(err, backup.ErrMissing) {
			t.Errorf("remove %q: %v", bad, err)
		}
	}
	if err := f.Remove(t.Context(), name); err != nil {
		t.Error(err)
	}
	if err := f.Remove(t.Context(), name); !errors.Is(err, backup.ErrMissing) {
		t.Errorf("twice: %v", err)
	}
	if free, known, err := f.Free(t.Context()); err != nil || !known || free <= 0 {
		t.Errorf("free: %d, %v, %v", free, known, err)
	}
}
