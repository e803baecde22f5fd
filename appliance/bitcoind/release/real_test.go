package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// TestRealNode packs the bitcoind that is there as a release, with a pin of its
// own, and installs it with the program that the box uses. What $DMPOOL_BITCOIND
// names may be a script that finds its libraries beside itself, so the archive
// has a script that leads to it.
func TestRealNode(t *testing.T) {
	node := os.Getenv("DMPOOL_BITCOIND")
	if node == "" {
		if os.Getenv("DMPOOL_TEST_ALL") != "" {
			t.Fatal("set DMPOOL_BITCOIND: DMPOOL_TEST_ALL wants every test")
		}
		t.Skip("DMPOOL_BITCOIND is not set")
	}
	said, err := bitcoind.Runs(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	_, number, _ := strings.Cut(strings.TrimPrefix(said, "Bitcoin "), " ")
	var v release.Version
	if _, err := fmt.Sscanf(number, "%d.%d", &v.Major, &v.Minor); err != nil {
		t.Fatalf("version %q: %v", said, err)
	}
	archive := packNode(t, v, fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", node))
	r := release.Release{Version: v, Platform: release.X86, SHA256: sha256.Sum256(archive)}

	f := release.Folder{Root: t.TempDir(), Platform: release.X86, Runs: func(ctx context.Context, program string) (string, error) {
		said, err := bitcoind.Runs(ctx, program)
		// A test's node may be Knots, which is none of the releases.
		return strings.Replace(said, "Knots", "Core", 1), err
	}}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Upload(t.Context(), bytes.NewReader(archive), 0, []release.Release{r}, func(int64, int64) {}); err != nil {
		t.Fatalf("Upload: %v", err)
	}
	if err := f.Verify(v); err != nil {
		t.Errorf("Verify: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), f.Program(v), "-version").Output()
	if err != nil || !strings.Contains(string(out), number) {
		t.Errorf("the installed node says %q, %v", out, err)
	}
}

func packNode(t *testing.T, v release.Version, script string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	name := release.Release{Version: v}.Name()
	if err := w.WriteHeader(&tar.Header{Name: name + "/bin/bitcoind", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(script))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(script)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
