//go:build nspawn

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file and of inside_test.go are one: it boots a Debian 13 with
// our units in a container, where this same program runs the checks, as root and,
// in another role, as the pool.

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "pool" {
		poolMain()
		return
	}
	os.Exit(m.Run())
}

// TestOnSystemd needs root, systemd-nspawn, DMPOOL_TRIXIE (see scripts/trixie.sh),
// DMPOOL_BITCOIND and DMPOOL_DEB, a package (see scripts/deb.sh) from which it takes
// what is tried, without installing it.
func TestOnSystemd(t *testing.T) {
	if os.Getenv("DMPOOL_INSIDE") != "" {
		t.Skip("this is the container")
	}
	base, bitcoind, deb := os.Getenv("DMPOOL_TRIXIE"), os.Getenv("DMPOOL_BITCOIND"), os.Getenv("DMPOOL_DEB")
	if base == "" || bitcoind == "" || deb == "" || os.Getuid() != 0 {
		if os.Getenv("DMPOOL_TEST_ALL") != "" {
			t.Fatal("it needs root, DMPOOL_TRIXIE, DMPOOL_BITCOIND and DMPOOL_DEB")
		}
		t.Skip("it needs root, DMPOOL_TRIXIE, DMPOOL_BITCOIND and DMPOOL_DEB")
	}
	root := furnish(t, base, bitcoind, deb)
	alone(t)

	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	boot := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--directory="+root, "--boot", "--private-network",
		"--register=no", "--keep-unit", "--console=pipe")
	boot.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	boot.Cancel = func() error { return boot.Process.Signal(os.Interrupt) } // ends the container, too
	boot.WaitDelay = 20 * time.Second
	console, err := boot.CombinedOutput()
	log, readErr := os.ReadFile(filepath.Join(root, "test/log"))
	if readErr != nil {
		t.Fatalf("nothing was tested (%v, %v); console:\n%s", err, readErr, console)
	}
	t.Logf("inside:\n%s", log)
	if !strings.HasSuffix(strings.TrimSpace(string(log)), "PASS") {
		t.Errorf("failed inside; console:\n%s", console)
	}
}

// alone waits until no other container of our tests runs on this machine: they would
// share a cgroup, and each systemd would take the other's units for its own.
func alone(t *testing.T) {
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

// furnish makes a root file system with all that is ours in it.
func furnish(t *testing.T, base, bitcoind, deb string) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	at := func(name string) string { return filepath.Join(root, name) }
	command(t, "cp", "-a", "--reflink=auto", base, root)
	command(t, "dpkg-deb", "--extract", deb, root)
	for _, dir := range []string{"test", "usr/lib/dmpool/node"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command(t, "cp", self, at("test/node.test"))

	// The whole tree: the program may be a script that looks for its libraries.
	tree := filepath.Dir(filepath.Dir(bitcoind))
	command(t, "cp", "-a", tree, at("usr/lib/dmpool/node/test"))
	if err := os.Symlink("test", at("usr/lib/dmpool/node/current")); err != nil {
		t.Fatal(err)
	}

	const unit = `[Unit]
Description=Test of DMPool's units
After=dbus.socket systemd-tmpfiles-setup.service
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
Environment=DMPOOL_INSIDE=1
ExecStart=/test/node.test -test.v -test.run ^TestInside$
StandardOutput=file:/test/log
StandardError=inherit
TimeoutStartSec=5min
[Install]
WantedBy=multi-user.target
`
	if err := os.WriteFile(at("etc/systemd/system/dmpool-test.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	wants := at("etc/systemd/system/multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../dmpool-test.service", filepath.Join(wants, "dmpool-test.service")); err != nil {
		t.Fatal(err)
	}
	return root
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out))
	}
	return string(out)
}
