package laid

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(at("file"), []byte("12345"), 0o600),
		os.Symlink("file", at("link")),
		os.WriteFile(at("secret"), nil, 0o600),
		os.Link(at("secret"), at("second name")),
		unix.Mkfifo(at("pipe"), 0o600),
		os.Mkdir(at("folder"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if text, err := Read(at("file"), 5); err != nil || string(text) != "12345" {
		t.Errorf("Read(file) = %q, %v", text, err)
	}
	if text, err := Read(at("file"), 4); err == nil {
		t.Errorf("Read of too long a file = %q, want an error", text)
	}
	for _, name := range []string{"link", "second name", "pipe", "folder", "none", "/dev/zero"} {
		path := name
		if !filepath.IsAbs(name) {
			path = at(name)
		}
		if _, err := Read(path, 5); err == nil {
			t.Errorf("Read(%s) = nil, want an error", name)
		}
	}
}
