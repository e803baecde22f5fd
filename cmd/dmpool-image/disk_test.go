//go:build image

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf16"
)

const sector = 512

// span is where a partition lies on its disk, in bytes.
type span struct{ from, size int64 }

// partition finds a partition by its label in the first of the disk's two tables
// (UEFI specification, section 5.3).
func partition(t *testing.T, disk, label string) span {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := make([]byte, 34*sector)
	if _, err := f.ReadAt(table, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(table[sector:], []byte("EFI PART")) {
		t.Fatalf("%s has no table of partitions", disk)
	}
	const first, size = 2 * sector, 128
	for entry := range slices.Chunk(table[first:], size) {
		name := make([]uint16, 36)
		for i := range name {
			name[i] = binary.LittleEndian.Uint16(entry[56+2*i:])
		}
		if text := string(bytes.TrimRight([]byte(string(utf16.Decode(name))), "\x00")); text == label {
			from, to := binary.LittleEndian.Uint64(entry[32:]), binary.LittleEndian.Uint64(entry[40:])
			return span{int64(from) * sector, int64(to-from+1) * sector}
		}
	}
	t.Fatalf("%s has no partition %s", disk, label)
	return span{}
}

// write puts a file on the boot partition, as the owner's own computer would.
func (m *vm) write(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, "boot-file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	command(m.t, "mcopy", "-D", "o", "-i", fmt.Sprintf("%s@@%d", m.disk, partition(m.t, m.disk, "dmpool-boot").from), file, "::/"+name)
}

// debugfs asks the root file system of a disk whose computer is off.
func (m *vm) debugfs(ask string) string {
	m.t.Helper()
	return command(m.t, "debugfs", "-R", ask, fmt.Sprintf("%s?offset=%d", m.disk, partition(m.t, m.disk, "dmpool-root").from))
}
