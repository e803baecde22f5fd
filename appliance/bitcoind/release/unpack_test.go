package release

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestUnpackRefuses(t *testing.T) {
	const name = "bitcoin-31.1"
	node := regular(name+"/bin/bitcoind", "#!/bin/sh\n")
	typed := func(kind byte, entry, target string) tarEntry {
		return tarEntry{Header: tar.Header{Typeflag: kind, Name: entry, Linkname: target, Mode: 0o755}}
	}
	var many []tarEntry
	for i := range usual().entries + 1 {
		many = append(many, regular(name+"/share/"+strconv.Itoa(i), ""))
	}
	large := regular(name+"/bin/bitcoin-qt", strings.Repeat("\x00", 1<<20))
	tests := []struct {
		name    string
		entries []tarEntry
		want    string
	}{
		{"nothing", nil, "no bitcoin-31.1/bin/bitcoind"},
		{"no node", []tarEntry{regular(name+"/README.md", "")}, "no bitcoin-31.1/bin/bitcoind"},
		{"another version", []tarEntry{regular("bitcoin-31.0/bin/bitcoind", "")}, "does not belong"},
		{"a file outside of the folder", []tarEntry{node, regular("bitcoind", "")}, "does not belong"},
		{"a path upwards", []tarEntry{node, regular(name+"/../../etc/passwd", "")}, "does not belong"},
		{"a path upwards and back", []tarEntry{regular(name+"/bin/../bin/bitcoind", "")}, "does not belong"},
		{"an absolute path", []tarEntry{node, regular("/etc/passwd", "")}, "does not belong"},
		{"a double slash", []tarEntry{regular(name+"//bin/bitcoind", "")}, "does not belong"},
		{"a path for another system", []tarEntry{node, regular(name+`/..\..\evil`, "")}, "does not belong"},
		{"a folder outside", []tarEntry{node, typed(tar.TypeDir, "../evil/", "")}, "does not belong"},
		{"the node is a folder", []tarEntry{typed(tar.TypeDir, name+"/bin/bitcoind/", "")}, "is a folder"},
		{"the node is a symbolic link", []tarEntry{typed(tar.TypeSymlink, name+"/bin/bitcoind", "evil")}, "is a link"},
		{"the node is a hard link", []tarEntry{typed(tar.TypeLink, name+"/bin/bitcoind", name+"/evil")}, "is a link"},
		{"a symbolic link out", []tarEntry{node, typed(tar.TypeSymlink, name+"/lib", "/etc")}, "outside"},
		{"a symbolic link upwards", []tarEntry{node, typed(tar.TypeSymlink, name+"/lib", "../..")}, "outside"},
		{"a hard link out", []tarEntry{node, typed(tar.TypeLink, name+"/lib", "/etc/shadow")}, "outside"},
		{"a file through a link", []tarEntry{typed(tar.TypeSymlink, name+"/bin", "share"), typed(tar.TypeSymlink, name+"/bin", "share"), node}, "twice"},
		{"a device", []tarEntry{node, typed(tar.TypeBlock, name+"/disk", "")}, "neither"},
		{"a terminal", []tarEntry{node, typed(tar.TypeChar, name+"/tty", "")}, "neither"},
		{"a pipe", []tarEntry{node, typed(tar.TypeFifo, name+"/pipe", "")}, "neither"},
		{"the node twice", []tarEntry{node, node}, "twice"},
		{"another file twice", []tarEntry{node, large, large}, "twice"},
		{"too many files", append(many, node), "more files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := unpack(bytes.NewReader(pack(t, tt.entries...)), name, dir, usual())
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("unpack: %v, want an error with %q", err, tt.want)
			}
			checkHarmless(t, dir)
		})
	}
}

// TestUnpackRefusesWhatIsNoArchive feeds it what a person may upload by mistake.
func TestUnpackRefusesWhatIsNoArchive(t *testing.T) {
	_, archive := published(t, Version{31, 1})
	bad := bytes.Clone(archive)
	bad[len(bad)-5] ^= 1 // in the checksum at the end
	for name, content := range map[string][]byte{
		"empty":       nil,
		"a text":      []byte("<!doctype html><title>Download</title>"),
		"half of it":  archive[:len(archive)/2],
		"one bit off": bad,
	} {
		if _, err := unpack(bytes.NewReader(content), "bitcoin-31.1", t.TempDir(), usual()); !errors.Is(err, ErrArchive) {
			t.Errorf("unpack %s: %v, want %v", name, err, ErrArchive)
		}
	}
}

// TestUnpackBomb: a few kilobytes that would fill the disk.
func TestUnpackBomb(t *testing.T) {
	most := limits{entries: 10, file: 1 << 20, unpacked: 4 << 20}
	zeros := strings.Repeat("\x00", 1<<20)
	for name, entries := range map[string][]tarEntry{
		"one large file":   {regular("bitcoin-31.1/bin/bitcoind", zeros+"0")},
		"many large files": {regular("bitcoin-31.1/a", zeros), regular("bitcoin-31.1/b", zeros), regular("bitcoin-31.1/c", zeros), regular("bitcoin-31.1/d", zeros)},
	} {
		dir := t.TempDir()
		if _, err := unpack(bytes.NewReader(pack(t, entries...)), "bitcoin-31.1", dir, most); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "than any") {
			t.Errorf("unpack %s: %v", name, err)
		}
		checkHarmless(t, dir)
	}
	padded := append(tarred(t, regular("bitcoin-31.1/bin/bitcoind", "")), make([]byte, 8<<20)...)
	if _, err := unpack(bytes.NewReader(zipped(t, padded)), "bitcoin-31.1", t.TempDir(), most); !errors.Is(err, ErrArchive) {
		t.Errorf("unpack with much behind it: %v, want %v", err, ErrArchive)
	}
}

// TestUnpackLeavesLinks: releases before 28 had links among their libraries.
func TestUnpackLeavesLinks(t *testing.T) {
	const name = "bitcoin-27.2"
	dir := t.TempDir()
	files, err := unpack(bytes.NewReader(pack(
		t,
		regular(name+"/bin/bitcoind", program(Version{27, 2})),
		regular(name+"/lib/libbitcoinconsensus.so.0.0.0", "library"),
		tarEntry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name + "/lib/libbitcoinconsensus.so", Linkname: "libbitcoinconsensus.so.0.0.0"}},
	)), name, dir, usual())
	if err != nil || len(files) != 1 {
		t.Errorf("unpack = %v, %v", files, err)
	}
	checkHarmless(t, dir)
}

// checkHarmless fails for anything in dir that unpack may never make.
func checkHarmless(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		below, _ := filepath.Rel(dir, path)
		if e.IsDir() && below == "bin" || e.Type().IsRegular() && wanted(below) != 0 {
			return nil
		}
		t.Errorf("unpack made %s, a %s", below, e.Type())
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzUnpack mutates what is inside of the .gz, whose checksum nothing would
// pass.
func FuzzUnpack(f *testing.F) {
	f.Add(tarred(f, regular("bitcoin-31.1/README.md", "Read me."), regular("bitcoin-31.1/bin/bitcoind", program(Version{31, 1}))))
	f.Add(tarred(f, tarEntry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "bitcoin-31.1/bin", Linkname: "/etc"}}))
	f.Add(tarred(f, tarEntry{Header: tar.Header{Typeflag: tar.TypeReg, Name: "bitcoin-31.1/bin/bitcoind", PAXRecords: map[string]string{"comment": "x"}}}))
	f.Fuzz(func(t *testing.T, content []byte) {
		made := map[string]*memory{}
		files, err := untar(bytes.NewReader(content), "bitcoin-31.1", usual(), func(name string, _ int64) (io.WriteCloser, error) {
			if wanted(name) == 0 || made[name] != nil {
				t.Errorf("makes %q", name)
			}
			made[name] = &memory{}
			return made[name], nil
		})
		if err != nil {
			return
		}
		if len(files) != len(made) || made[bitcoind] == nil {
			t.Errorf("untar = %v, made %d files", files, len(made))
		}
		for _, x := range files {
			if m := made[x.Name]; int64(m.Len()) != x.Size || sha256.Sum256(m.Bytes()) != x.SHA256 {
				t.Errorf("%s has %d bytes, want %d", x.Name, m.Len(), x.Size)
			}
		}
	})
}

type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }
