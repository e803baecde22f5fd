// Package booted starts a Debian 13 with systemd in a container, for tests of what is
// installed on it. The test's own program goes along and runs inside as a unit; it
// writes to /test/log. It needs root, systemd-nspawn, DMPOOL_TRIXIE (scripts/trixie.sh),
// DMPOOL_BITCOIND (scripts/bitcoind.sh) and DMPOOL_DEB (scripts/deb.sh).
package booted

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Inside tells whether this program runs in the container.
func Inside() bool { return os.Getenv("DMPOOL_INSIDE") != "" }

// Wants returns the environment's values of names. Where one is missing, or root's
// rights are, the test is skipped, or fails if all tests are to run.
func Wants(t *testing.T, names ...string) (values []string) {
	t.Helper()
	if Inside() {
		t.Skip("this is the container")
	}
	for _, name := range names {
		values = append(values, os.Getenv(name))
		if values[len(values)-1] != "" && os.Getuid() == 0 {
			continue
		}
		missing := "it needs root, " + strings.Join(names, ", ")
		if os.Getenv("DMPOOL_TEST_ALL") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return values
}

// Root copies the root file system base, with this program as /test/NAME.
func Root(t *testing.T, base, name string) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	command(t, "cp", "-a", "--reflink=auto", base, root)
	if err := os.MkdirAll(filepath.Join(root, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	Bring(t, root, name)
	return root
}

// Bring lays this program into root as /test/NAME.
func Bring(t *testing.T, root, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command(t, "cp", self, filepath.Join(root, "test", name))
}

// LayNode puts the node that stands in for Bitcoin Core where an installed one is.
func LayNode(t *testing.T, root, bitcoind string) {
	t.Helper()
	node := filepath.Join(root, "usr/lib/dmpool/node")
	if err := os.MkdirAll(node, 0o755); err != nil {
		t.Fatal(err)
	}
	// The whole tree: the program may be a script that looks for its libraries.
	command(t, "cp", "-a", filepath.Dir(filepath.Dir(bitcoind)), filepath.Join(node, "test"))
	if err := os.Symlink("test", filepath.Join(node, "current")); err != nil {
		t.Fatal(err)
	}
}

// LayUnit writes a unit file, wanted by target where that is not empty.
func LayUnit(t *testing.T, root, name, text, target string) {
	t.Helper()
	units := filepath.Join(root, "etc/systemd/system")
	if err := os.WriteFile(filepath.Join(units, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if target == "" {
		return
	}
	wants := filepath.Join(units, target+".wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../"+name, filepath.Join(wants, name)); err != nil {
		t.Fatal(err)
	}
}

// Run boots root, which ends by itself, and reads what the test inside has written.
func Run(t *testing.T, root string, most time.Duration) {
	t.Helper()
	Alone(t)
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	console, err := Machine(ctx, root).CombinedOutput()
	Judge(t, root, console, err)
}

// Machine is one that boots a root file system, has no network, and is gone with the
// context. Options are more of systemd-nspawn's.
func Machine(ctx context.Context, root string, options ...string) *exec.Cmd {
	machine := exec.CommandContext(ctx, "systemd-nspawn", append([]string{
		"--quiet", "--directory=" + root, "--boot", "--private-network",
		"--register=no", "--keep-unit", "--console=pipe",
	}, options...)...)
	machine.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	machine.Cancel = func() error { return machine.Process.Signal(os.Interrupt) } // ends the container, too
	machine.WaitDelay = 20 * time.Second
	return machine
}

// Judge reads what the test inside has written; console and err are of the machine.
func Judge(t *testing.T, root string, console []byte, err error) {
	t.Helper()
	log, readErr := os.ReadFile(filepath.Join(root, "test/log"))
	if readErr != nil {
		t.Fatalf("nothing was tested (%v, %v); console:\n%s", err, readErr, console)
	}
	t.Logf("inside:\n%s", log)
	if !strings.HasSuffix(strings.TrimSpace(string(log)), "PASS") {
		t.Errorf("failed inside; console:\n%s", console)
	}
}

// Alone waits until no other container of our tests runs on this machine: they would
// share a cgroup, and each systemd would take the other's units for its own.
func Alone(t *testing.T) {
	t.Helper()
	lock, err := os.OpenFile("/run/lock/dmpool-nspawn", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
