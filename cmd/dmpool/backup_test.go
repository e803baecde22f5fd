package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBackupCommand goes the way that a person goes at a terminal, from a box without a
// passphrase to another one that is the same.
func TestBackupCommand(t *testing.T) {
	const phrase = "correct horse battery staple"
	dir := newBox(t)
	other := filepath.Join(t.TempDir(), "other")
	step := func(in string, code int, says string, args ...string) string {
		t.Helper()
		var said strings.Builder
		c := &cli{
			flags: flag.NewFlagSet("backup", flag.ContinueOnError), args: args, stdin: strings.NewReader(in), stdout: &said, stderr: &said,
			backupWork: 2,
		}
		got := exitCode(backups(t.Context(), c), &said)
		if got != code || !strings.Contains(said.String(), says) {
			t.Errorf("%q: code %d, %s; want %d, %q", args, got, said.String(), code, says)
		}
		return said.String()
	}
	step("", 1, "say what to do")
	step("", 1, "\"burn\" is not understood", "burn")
	step("", 1, "it needs FILE", "restore", "--data-dir", other)
	step("", 1, "not the data directory of a box", "list", "--data-dir", t.TempDir())
	step("", 0, "There is no backup yet", "list", "--data-dir", dir)
	step("", 1, "no passphrase for backups yet", "create", "--data-dir", dir)
	step("", 1, "no passphrase was given", "passphrase", "--data-dir", dir)
	step("short\n", 1, "too short", "passphrase", "--data-dir", dir)
	step(phrase+"\n", 0, "without it no backup opens", "passphrase", "--data-dir", dir)
	step("", 0, "it is good", "create", "--data-dir", dir)
	listed := step("", 0, "good, tried out", "list", "--data-dir", dir)
	name, _, _ := strings.Cut(listed, " ")
	file := filepath.Join(dir, "practice", "backups", name)

	step("another passphrase\n", 1, "does not open this backup", "verify", file, "--data-dir", dir)
	step(phrase+"\n", 0, "unpacked into a folder in "+filepath.Dir(file), "verify", file, "--data-dir", dir)
	away := filepath.Join(t.TempDir(), "away.age")
	if err := os.Link(file, away); err != nil {
		t.Fatal(err)
	}
	step(phrase+"\n", 0, "unpacked into a folder in "+filepath.Dir(away), "verify", away, "--data-dir", other)
	step(phrase+"\n", 1, "--scratch", "verify", away, "--scratch", other)
	for _, folder := range []string{filepath.Dir(file), filepath.Dir(away)} {
		if left, err := filepath.Glob(filepath.Join(folder, ".dmpool-verify-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
	half := filepath.Join(t.TempDir(), "half.age")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	step(phrase+"\n", 1, "ends too early", "restore", half, "--data-dir", other)
	step(phrase+"\nno\n", 1, "nothing was changed", "restore", file, "--data-dir", other)
	step(phrase+"\nyes\n", 0, "no box in this data directory yet", "restore", file, "--data-dir", other)
	step("", 0, "", "list", "--data-dir", other)

	lock, err := os.OpenFile(filepath.Join(other, "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	step(phrase+"\nyes\n", 1, "systemctl stop dmpool", "restore", "--data-dir", other, file)
}
