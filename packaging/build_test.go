//go:build nspawn

package packaging

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind/release"
	"github.com/dmpool/dmpool/packaging/booted"
)

// build runs scripts/deb.sh and returns the package.
func build(t *testing.T, arch string, env ...string) (deb, said string, err error) {
	t.Helper()
	if booted.Inside() {
		t.Skip("this is the container")
	}
	c := exec.CommandContext(t.Context(), "../scripts/deb.sh", arch)
	c.Env = append(append(os.Environ(), "DEB_OUT="+t.TempDir()), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	return strings.TrimSpace(string(out)), stderr.String(), err
}

// TestReproducible builds the package once more: in another folder, with nothing
// compiled before.
func TestReproducible(t *testing.T) {
	first := os.Getenv("DMPOOL_DEB")
	if first == "" {
		if os.Getenv("DMPOOL_TEST_ALL") != "" {
			t.Fatal("it needs DMPOOL_DEB")
		}
		t.Skip("it needs DMPOOL_DEB")
	}
	tmp := filepath.Join(t.TempDir(), "a/longer/way/to/it")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	arch := strings.TrimSpace(command(t, "dpkg-deb", "--field", first, "Architecture"))
	second, said, err := build(t, arch, "TMPDIR="+tmp, "GOCACHE="+t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	a, b := command(t, "sha256sum", first)[:64], command(t, "sha256sum", second)[:64]
	if a != b {
		t.Errorf("two builds differ: %s and %s", a, b)
	}
	t.Log(a)
}

// TestCoreInside builds packages for both machines that bring a Bitcoin Core along.
// The real one cannot be had everywhere, so it is made up, and so is its pin.
func TestCoreInside(t *testing.T) {
	version := release.Version{Major: 31, Minor: 1}
	for arch, platform := range map[string]release.Platform{"amd64": release.X86, "arm64": release.ARM} {
		t.Run(arch, func(t *testing.T) {
			r := release.Release{Version: version, Platform: platform}
			dir := t.TempDir()
			file, pins := filepath.Join(dir, r.File()), filepath.Join(dir, "pins.json")
			content := madeUp(t, r.Name())
			r.SHA256 = sha256.Sum256(content)
			list, err := json.Marshal([]release.Release{r})
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string][]byte{file: content, pins: list} {
				if err := os.WriteFile(name, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if deb, said, err := build(t, arch, "CORE_TARBALL="+file); err == nil || !strings.Contains(said, release.ErrUnknown.Error()) {
				t.Errorf("%s was built with a Bitcoin Core that nobody knows: %v\n%s", deb, err, said)
			}
			deb, said, err := build(t, arch, "CORE_TARBALL="+file, "CORE_PINS="+pins)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			command(t, "lintian", "--allow-root", "--fail-on", "error,warning", deb)
			tree := filepath.Join(dir, "tree")
			command(t, "dpkg-deb", "--extract", deb, tree)
			node := release.Folder{Root: filepath.Join(tree, "usr/lib/dmpool/node"), Platform: platform}
			if v, err := node.Current(); err != nil || v != version {
				t.Errorf("the version in use is %s (%v)", v, err)
			}
			if err := node.Verify(version); err != nil {
				t.Error(err)
			}
		})
	}
}

// madeUp returns an archive of the shape that the real ones have.
func madeUp(t *testing.T, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	const program = "#!/bin/sh\necho 'Bitcoin Core daemon version v31.1.0'\n"
	for path, text := range map[string]string{"bin/bitcoind": program, "bin/bitcoin-cli": program, "COPYING": "the licence\n", "README.md": "Bitcoin Core\n"} {
		h := tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%s/%s", name, path), Mode: 0o755, Size: int64(len(text))}
		if err := files.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
