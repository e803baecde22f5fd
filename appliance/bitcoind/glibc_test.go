package bitcoind

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program of a newer system, and the words of this system's own loader: the program
// is one of this system that asks for a version of glibc which there is not.
func TestRunsOnATooOldSystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitcoind")
	wanted := tooNew(t, "/bin/true", path)
	if said, err := Runs(t.Context(), path); err == nil || !strings.Contains(err.Error(), "this system is too old for the program: it lacks "+wanted+".") {
		t.Errorf("Runs = %q, %v, want it to lack %s", said, err, wanted)
	}
}

// tooNew copies a program and has the copy ask for a version that does not exist. A
// version is named in two tables: its hash, and where its name is among the strings.
//
//	.gnu.version_r  need: 2 version, 2 count, 4 file, 4 first, 4 next need
//	                version: 4 hash, 2 flags, 2 index, 4 name, 4 next version
func tooNew(t *testing.T, from, to string) (wanted string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Skip(err)
	}
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Skip(from, "is no ELF program here:", err)
	}
	needs, names := f.Section(".gnu.version_r"), f.Section(".dynstr")
	if needs == nil || names == nil {
		t.Skip(from, "asks for no versions of a library; this system has no glibc")
	}
	table := content[needs.Offset:][:needs.Size]
	order := f.ByteOrder
	for need := table; ; need = need[order.Uint32(need[12:]):] {
		version := need[order.Uint32(need[8:]):]
		name := content[names.Offset:][order.Uint32(version[8:]):]
		name = name[:bytes.IndexByte(name, 0)]
		if bytes.HasPrefix(name, []byte("GLIBC_2.")) {
			for i := len("GLIBC_"); i < len(name); i++ {
				if name[i] != '.' {
					name[i] = '9'
				}
			}
			order.PutUint32(version, hashOf(name))
			wanted = string(name)
			break
		}
		if order.Uint32(need[12:]) == 0 {
			t.Skip(from, "asks for no version of glibc")
		}
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return wanted
}

// hashOf is the hash of a name in ELF's tables.
func hashOf(name []byte) (h uint32) {
	for _, c := range name {
		h = h<<4 + uint32(c)
		high := h & 0xf0000000
		h = (h ^ high>>24) &^ high
	}
	return h
}
