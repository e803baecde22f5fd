package place

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/backup"
)

// places are all kinds, each in a folder of its own.
func places(t *testing.T) map[string]func(t *testing.T) (backup.Place, string) {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	line, err := PublicLine(key)
	if err != nil {
		t.Fatal(err)
	}
	remote := func(change func(*keeper), sign func(*Server)) func(t *testing.T) (backup.Place, string) {
		return func(t *testing.T) (backup.Place, string) {
			k := newKeeper(t, change)
			s := k.server()
			s.Folder = "boxes/mine"
			sign(&s)
			return NewSFTP(s), filepath.Join(k.dir, s.Folder)
		}
	}
	return map[string]func(t *testing.T) (backup.Place, string){
		"folder": func(t *testing.T) (backup.Place, string) {
			dir := t.TempDir()
			return NewFolder(dir, ""), dir
		},
		"folder with patience": func(t *testing.T) (backup.Place, string) {
			dir := t.TempDir()
			return new(Patience).With(NewFolder(dir, "")), dir
		},
		"SFTP with a password": remote(func(*keeper) {}, func(*Server) {}),
		"SFTP that asks":       remote(func(k *keeper) { k.typed = true }, func(*Server) {}),
		"SFTP with a key": remote(func(k *keeper) { k.key = line }, func(s *Server) {
			s.Password, s.Key = "", key
		}),
	}
}

// All places keep files in the same way.
func TestPlaces(t *testing.T) {
	for kind, open := range places(t) {
		t.Run(kind, func(t *testing.T) {
			p, dir := open(t)
			ctx := t.Context()
			if list, err := p.List(ctx); len(list) != 0 || exists(dir) && err != nil || !exists(dir) && !errors.Is(err, backup.ErrAway) {
				t.Fatalf("List of an empty place = %v, %v", list, err)
			}
			content := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // a hundred pieces
			if err := p.Put(ctx, "dmpool-main-20261123-000001.age", bytes.NewReader(content)); err != nil {
				t.Fatal(err)
			}
			if err := p.Put(ctx, "dmpool-main-20261123-000002.age", strings.NewReader("")); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(filepath.Join(dir, "dmpool-main-20261123-000001.age")); err != nil || info.Mode() != 0o600 {
				t.Errorf("the file is %v, %v, want mode 0600", info, err)
			}

			err := p.Put(ctx, "dmpool-main-20261123-000002.age", strings.NewReader("other"))
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("Put of what is there = %v, want %v", err, fs.ErrExist)
			}
			refusedWith(t, "Put of what is there", err, "already")

			// What lies about there is none of its files, and what was left half-written goes.
			for _, name := range []string{"dmpool-main-20261123-000003.age.part", ".hidden", "a b"} {
				write(t, filepath.Join(dir, name))
			}
			old := filepath.Join(dir, "dmpool-main-20261123-000000.age.part")
			write(t, old)
			if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*partAge)); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			if got, want := names(t, p), []string{"dmpool-main-20261123-000001.age", "dmpool-main-20261123-000002.age"}; !slices.Equal(got, want) {
				t.Errorf("List = %q, want %q", got, want)
			}
			if err := Try(ctx, p); err != nil {
				t.Errorf("Try: %v", err)
			}
			if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
				t.Error("a part of two days ago is still there")
			}
			if _, err := os.Stat(filepath.Join(dir, "dmpool-main-20261123-000003.age.part")); err != nil {
				t.Error("a part that somebody may be writing is gone")
			}

			if got := read(t, p, "dmpool-main-20261123-000001.age"); !bytes.Equal(got, content) {
				t.Errorf("read %d bytes that are not the %d written ones", len(got), len(content))
			}
			if free, known, err := p.Free(ctx); err != nil || !known || free <= 0 {
				t.Errorf("Free = %d, %v, %v", free, known, err)
			}
			for _, name := range []string{"gone.age", "../dmpool-main-20261123-000001.age", "a/b", "", ".hidden", "dmpool-main-20261123-000003.age.part", "x\x00", "..", strings.Repeat("x", 200)} {
				if _, err := p.Open(ctx, name); !errors.Is(err, backup.ErrMissing) {
					t.Errorf("Open(%q) = %v, want %v", name, err, backup.ErrMissing)
				}
				if err := p.Remove(ctx, name); !errors.Is(err, backup.ErrMissing) {
					t.Errorf("Remove(%q) = %v, want %v", name, err, backup.ErrMissing)
				}
			}
			if err := p.Put(ctx, "../x", strings.NewReader("x")); err == nil {
				t.Error("Put took a path")
			}
			if err := p.Remove(ctx, "dmpool-main-20261123-000001.age"); err != nil {
				t.Error(err)
			}
			if got, want := names(t, p), []string{"dmpool-main-20261123-000002.age"}; !slices.Equal(got, want) {
				t.Errorf("List = %q, want %q", got, want)
			}
		})
	}
}

// What cannot be read to its end is not kept, and it is no fault of the place.
func TestPutOfWhatCannotBeRead(t *testing.T) {
	for kind, open := range places(t) {
		t.Run(kind, func(t *testing.T) {
			p, dir := open(t)
			broken := errors.New("the disk has a scratch")
			err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), failing{broken}))
			if _, spoken := errors.AsType[*Error](err); spoken || !errors.Is(err, broken) {
				t.Errorf("Put = %v, want what the source said", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A file that nobody waits for any more is not kept.
func TestPutThatIsCalledOff(t *testing.T) {
	for kind, open := range places(t) {
		t.Run(kind, func(t *testing.T) {
			p, _ := open(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("the box stops")
			source := reading(func(b []byte) (int, error) {
				cancel(why)
				return len(b), nil // without an end
			})
			if err := p.Put(ctx, "dmpool-main-20261123-000001.age", source); !errors.Is(err, why) {
				t.Errorf("Put = %v, want %v", err, why)
			}
			if got := names(t, p); len(got) > 0 {
				t.Errorf("List = %q after a file that was called off", got)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func names(t *testing.T, p backup.Place) (all []string) {
	t.Helper()
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		all = append(all, f.Name)
	}
	slices.Sort(all)
	return all
}

func read(t *testing.T, p backup.Place, name string) []byte {
	t.Helper()
	f, err := p.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAddresses(t *testing.T) {
	tests := map[string]string{
		"nas":              "nas:22",
		"nas.local:2222":   "nas.local:2222",
		"192.168.1.9":      "192.168.1.9:22",
		"192.168.1.9:22":   "192.168.1.9:22",
		"fd00::9":          "[fd00::9]:22",
		"[fd00::9]":        "[fd00::9]:22",
		"[fd00::9]:2222":   "[fd00::9]:2222",
		"":                 "",
		":22":              "",
		"nas:":             "",
		"nas:0":            "",
		"nas:70000":        "",
		"nas:22:22":        "",
		"user@nas":         "",
		"sftp://nas":       "",
		"nas/folder":       "",
		"na s":             "",
		"nas\x00":          "",
		"nas:-oProxy=true": "",
	}
	for text, want := range tests {
		got, err := complete(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("complete(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestServerCheck(t *testing.T) {
	fine := Server{Address: "nas", User: "box"}
	tests := map[string]struct {
		change func(*Server)
		fine   bool
	}{
		"fine":                 {func(*Server) {}, true},
		"a folder":             {func(s *Server) { s.Folder = "/srv/备份" }, true},
		"no user":              {func(s *Server) { s.User = "" }, false},
		"a line break":         {func(s *Server) { s.User = "box\nroot" }, false},
		"a folder with escape": {func(s *Server) { s.Folder = "a\x1b[2J" }, false},
		"no address":           {func(s *Server) { s.Address = "" }, false},
	}
	for name, test := range tests {
		s := fine
		test.change(&s)
		if err := s.Check(); (err == nil) != test.fine {
			t.Errorf("%s: Check = %v", name, err)
		}
	}
	var got []string
	for _, dir := range []string{"/mnt/backups", "mnt", "", "/", "/..", "/mnt/\x00"} {
		if CheckFolder(dir) == nil {
			got = append(got, dir)
		}
	}
	if diff := cmp.Diff([]string{"/mnt/backups"}, got); diff != "" {
		t.Errorf("CheckFolder takes (-want +got):\n%s", diff)
	}
}

// reading is a reader that a test makes up.
type reading func([]byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }
