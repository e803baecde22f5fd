package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// TestBakeRefuses: what no pin names, and what is made for other machines, stays out.
func TestBakeRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bitcoin-31.1-x86_64-linux-gnu.tar.gz")
	if err := os.WriteFile(file, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, "node")
	if err := bake(t.Context(), file, node, "amd64", release.Pins()); !errors.Is(err, release.ErrUnknown) {
		t.Errorf("bake = %v, want %v", err, release.ErrUnknown)
	}
	if err := bake(t.Context(), file, node, "riscv64", release.Pins()); err == nil {
		t.Error("baked for a machine that has no release")
	}
	if _, err := os.Stat(node); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was left: %v", err)
	}
	if _, err := releases(filepath.Join(dir, "missing.json")); err == nil {
		t.Error("pins were read from a file that is not there")
	}
}
