package release

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func upload(t *testing.T, f Folder, v Version) {
	t.Helper()
	r, archive := published(t, v)
	if _, err := f.Upload(t.Context(), bytes.NewReader(archive), 0, []Release{r}, silent); err != nil {
		t.Fatal(err)
	}
}

func TestUpload(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	foreign := r
	foreign.Platform = ARM
	hostile := pack(t, regular("bitcoin-31.1/bin/bitcoind", ""), regular("../evil", ""))
	renamed := pack(t, regular("bitcoin-31.1/bin/bitcoind", program(Version{30, 0})))
	other, _ := published(t, Version{30, 3})
	gone := errors.New("the browser went away")
	tests := []struct {
		name    string
		content io.Reader
		limit   int64
		known   []Release
		want    error
	}{
		{"good", bytes.NewReader(archive), 0, []Release{other, r}, nil},
		{"good, in drops", iotest.OneByteReader(bytes.NewReader(archive)), 0, []Release{r}, nil},
		{"unknown", bytes.NewReader(archive), 0, []Release{other}, ErrUnknown},
		{"no pins at all", bytes.NewReader(archive), 0, nil, ErrUnknown},
		{"truncated", bytes.NewReader(archive[:100]), 0, []Release{r}, ErrUnknown},
		{"empty", strings.NewReader(""), 0, []Release{r}, ErrUnknown},
		{"too large", bytes.NewReader(archive), 100, []Release{r}, ErrTooLarge},
		{"for another platform", bytes.NewReader(archive), 0, []Release{foreign}, ErrPlatform},
		{"another version inside", bytes.NewReader(renamed), 0, []Release{of(r.Version, renamed)}, ErrPlatform},
		{"hostile, with a good hash", bytes.NewReader(hostile), 0, []Release{of(r.Version, hostile)}, ErrArchive},
		{"cut off", io.MultiReader(bytes.NewReader(archive[:100]), iotest.ErrReader(gone)), 0, []Release{r}, gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			got, err := f.Upload(t.Context(), tt.content, tt.limit, tt.known, silent)
			if !errors.Is(err, tt.want) {
				t.Errorf("Upload: %v, want %v", err, tt.want)
			}
			if err == nil && (got != r || f.Verify(r.Version) != nil) {
				t.Errorf("Upload = %v, verified: %v", got, f.Verify(r.Version))
			}
			if left := list(t, f.at("download")); len(left) > 0 {
				t.Errorf("Upload left %v", left)
			}
			if want := []string{"bitcoin-31.1", "download"}; err == nil && !slices.Equal(list(t, f.Root), want) {
				t.Errorf("the folder has %v, want %v", list(t, f.Root), want)
			}
			if err != nil && !slices.Equal(list(t, f.Root), []string{"download"}) {
				t.Errorf("the folder has %v after %v", list(t, f.Root), err)
			}
		})
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestInstallNeedsARunningProgram: a program that does not start here is not
// installed, whatever its hash is.
func TestInstallNeedsARunningProgram(t *testing.T) {
	f := newFolder(t)
	f.Runs = func(context.Context, string) (string, error) { return "", errors.New("this system is too old") }
	r, archive := published(t, Version{31, 1})
	_, err := f.Upload(t.Context(), bytes.NewReader(archive), 0, []Release{r}, silent)
	if !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), "too old") {
		t.Errorf("Upload: %v, want %v and the reason", err, ErrPlatform)
	}
	if versions, err := f.Versions(); err != nil || len(versions) > 0 {
		t.Errorf("Versions = %v, %v", versions, err)
	}
}

func TestVerify(t *testing.T) {
	v := Version{31, 1}
	node := filepath.Join("bitcoin-31.1", "bin", "bitcoind")
	tests := []struct {
		name string
		harm func(root string) error
	}{
		{"one byte changed", func(root string) error {
			return os.WriteFile(filepath.Join(root, node), []byte(strings.Replace(program(v), "echo", "Echo", 1)), 0o755)
		}},
		{"one byte added", func(root string) error {
			return os.WriteFile(filepath.Join(root, node), []byte(program(v)+"\n"), 0o755)
		}},
		{"not there", func(root string) error { return os.Remove(filepath.Join(root, node)) }},
		{"not a program any more", func(root string) error { return os.Chmod(filepath.Join(root, node), 0o644) }},
		{"a link to the same", func(root string) error {
			if err := os.Rename(filepath.Join(root, node), filepath.Join(root, "aside")); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(root, "aside"), filepath.Join(root, node))
		}},
		{"no list", func(root string) error { return os.Remove(filepath.Join(root, "bitcoin-31.1", "release.json")) }},
		{"half a list", func(root string) error { return os.Truncate(filepath.Join(root, "bitcoin-31.1", "release.json"), 80) }},
		{"the list of another", func(root string) error {
			return os.WriteFile(filepath.Join(root, "bitcoin-31.1", "release.json"), []byte(`{"version":"30.0","platform":"x86_64-linux-gnu"}`), 0o644)
		}},
		{"a list that leads outside", func(root string) error {
			name := filepath.Join(root, "bitcoin-31.1", "release.json")
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			return os.WriteFile(name, bytes.Replace(text, []byte("README.md"), []byte("../../etc/passwd"), 1), 0o644)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			upload(t, f, v)
			if err := f.Verify(v); err != nil {
				t.Fatalf("Verify: %v", err)
			}
			if err := tt.harm(f.Root); err != nil {
				t.Fatal(err)
			}
			if err := f.Verify(v); !errors.Is(err, ErrDamaged) {
				t.Errorf("Verify: %v, want %v", err, ErrDamaged)
			}
			upload(t, f, v) // mends it
			if err := f.Verify(v); err != nil {
				t.Errorf("Verify after another upload: %v", err)
			}
		})
	}
}

func TestPrepareClearsAway(t *testing.T) {
	f := newFolder(t)
	for _, dir := range []string{".unpack-1/bin", ".unpack-2.old"} {
		if err := os.MkdirAll(f.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"upload-7", "bitcoin-31.1-x86_64-linux-gnu.tar.gz.part"} {
		if err := os.WriteFile(f.at("download", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, f.Root); !slices.Equal(got, []string{"download"}) {
		t.Errorf("the folder has %v", got)
	}
	if got := list(t, f.at("download")); !slices.Equal(got, []string{"bitcoin-31.1-x86_64-linux-gnu.tar.gz.part"}) {
		t.Errorf("of downloads it has %v", got)
	}
}

// TestPins holds the table against the words of the design.
func TestPins(t *testing.T) {
	pins := Pins()
	if len(pins) != 6 {
		t.Fatalf("%d pins, want three versions for two platforms", len(pins))
	}
	hashes := map[Hash]bool{}
	for i, r := range pins {
		hashes[r.SHA256] = true
		if i > 0 && r.Version.Compare(pins[i-1].Version) > 0 {
			t.Errorf("%v stands behind %v", r.Version, pins[i-1].Version)
		}
	}
	if len(hashes) != len(pins) {
		t.Error("two pins have the same hash")
	}
	if got, want := Site+pins[1].Version.Dir()+pins[1].File(), "https://bitcoincore.org/bin/bitcoin-core-31.1/bitcoin-31.1-aarch64-linux-gnu.tar.gz"; got != want {
		t.Errorf("address = %s, want %s", got, want)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{"31.1": {31, 1}, "30.0": {30, 0}, "101.12": {101, 12}} {
		if got, err := ParseVersion(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseVersion(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "31", "31.1rc1", "v31.1", "31.01", "0.21", "31.1.0", " 31.1", "31.1/..", "1.1"} {
		if got, err := ParseVersion(text); err == nil {
			t.Errorf("ParseVersion(%q) = %v, want an error", text, got)
		}
	}
}

func TestPlatformOf(t *testing.T) {
	if p, err := PlatformOf("linux", "arm64"); err != nil || p != ARM {
		t.Errorf("PlatformOf(linux, arm64) = %v, %v", p, err)
	}
	if p, err := PlatformOf("linux", "arm"); err == nil {
		t.Errorf("PlatformOf(linux, arm) = %v, want an error", p)
	}
}
