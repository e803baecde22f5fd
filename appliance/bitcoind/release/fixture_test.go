package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program is a stand-in for bitcoind: it says its version and nothing else.
func program(v Version) string {
	return "#!/bin/sh\necho 'Bitcoin Core daemon version v" + v.String() + ".0'\n"
}

// runs reads the version out of such a stand-in.
func runs(_ context.Context, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(text), "version v")
	said, _, _ := strings.Cut(after, "'")
	return "Bitcoin Core " + said, nil
}

func regular(name, content string) tarEntry {
	return tarEntry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content))}, content}
}

type tarEntry struct {
	tar.Header
	content string
}

// pack makes a .tar.gz.
func pack(tb testing.TB, entries ...tarEntry) []byte {
	tb.Helper()
	return zipped(tb, tarred(tb, entries...))
}

func zipped(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func tarred(tb testing.TB, entries ...tarEntry) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// published makes a release of the shape that the real ones have, and its file.
func published(tb testing.TB, v Version) (Release, []byte) {
	tb.Helper()
	archive := pack(tb, shape(v)...)
	return of(v, archive), archive
}

func shape(v Version) []tarEntry {
	name := Release{Version: v}.Name() + "/"
	return []tarEntry{
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}},
		regular(name+"README.md", "Read me."),
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: name + "bin/", Mode: 0o755}},
		regular(name+"bin/bitcoin-cli", "#!/bin/sh\n"),
		regular(name+"bin/bitcoin-qt", strings.Repeat("not wanted ", 10_000)),
		regular(name+"bin/bitcoind", program(v)),
		regular(name+"share/rpcauth/rpcauth.py", "print()"),
	}
}

func of(v Version, archive []byte) Release {
	return Release{Version: v, Platform: X86, SHA256: sha256.Sum256(archive)}
}

func newFolder(t *testing.T) Folder {
	t.Helper()
	f := Folder{Root: filepath.Join(t.TempDir(), "node"), Platform: X86, Runs: runs}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	return f
}

// hasty makes a source's pauses as short as a test wants them. How long it waits
// for bytes stays, for a busy machine.
func hasty(s Source) Source {
	s.Pause, s.Tries, s.Limit = time.Millisecond, 3, 1<<20
	return s
}

func silent(int64, int64) {}
