package bitcoind

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRunsSaysWhyNot(t *testing.T) {
	script := func(text string) []byte { return []byte("#!/bin/sh\n" + text + "\n") }
	tests := []struct {
		name    string
		program []byte
		said    string
		want    string // in the error
	}{
		{"good", script("echo 'Bitcoin Core daemon version v31.1.0 bitcoind'"), "Bitcoin Core 31.1.0", ""},
		{"another machine", foreign(t), "", "another kind of machine"},
		{"no program at all", []byte("just words"), "", "no program for this machine"},
		{"glibc too old", script(`echo "./bitcoind: /lib/libc.so.6: version 'GLIBC_2.99' not found (required by ./bitcoind)" >&2; exit 1`), "", "lacks GLIBC_2.99"},
		{"libstdc++ too old", script(`echo "./bitcoind: version 'GLIBCXX_3.4.99' not found" >&2; exit 1`), "", "lacks GLIBCXX_3.4.99"},
		{"gives up", script("echo 'cannot find myself' >&2; exit 3"), "", "gives up at once: cannot find myself"},
		{"something else", script("echo 'hello'"), "", "not a bitcoind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bitcoind")
			if err := os.WriteFile(path, tt.program, 0o755); err != nil {
				t.Fatal(err)
			}
			said, err := Runs(t.Context(), path)
			if said != tt.said {
				t.Errorf("Runs = %q, want %q", said, tt.said)
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Runs: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// foreign is the head of a program for a machine that this is not.
func foreign(t *testing.T) []byte {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("there is no program to disguise:", err)
	}
	head := self[:min(len(self), 4096)]
	machine := uint16(0xb7) // aarch64
	if runtime.GOARCH == "arm64" {
		machine = 0x3e
	}
	binary.LittleEndian.PutUint16(head[18:], machine)
	binary.LittleEndian.PutUint64(head[40:], 0) // no sections, which are cut off
	binary.LittleEndian.PutUint16(head[60:], 0)
	binary.LittleEndian.PutUint16(head[62:], 0)
	return head
}
