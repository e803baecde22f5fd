//go:build nspawn

package packaging

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

// The tests of the package boot a Debian 13 in a container that knows nothing of
// DMPool. There this same program runs, as root, what a person would type: see
// inside_test.go. They need root, systemd-nspawn, DMPOOL_TRIXIE (scripts/trixie.sh),
// DMPOOL_BITCOIND (scripts/bitcoind.sh) and DMPOOL_DEB (scripts/deb.sh).

// TestInstall is the quick one: from the package to a healthy box, and no more.
func TestInstall(t *testing.T) { boot(t, "TestInsideInstall", 4*time.Minute) }

// TestLifeCycle goes all the way: mine, upgrade, go back, remove, install again,
// purge, install again.
func TestLifeCycle(t *testing.T) { boot(t, "TestInsideLifeCycle", 10*time.Minute) }

// TestFaults breaks the installation in all ways.
func TestFaults(t *testing.T) { boot(t, "TestInsideFaults", 10*time.Minute) }

// boot runs one test of this program in a container.
func boot(t *testing.T, name string, most time.Duration, prepare ...func(root string)) {
	t.Helper()
	root := furnish(t, name)
	for _, do := range prepare {
		do(root)
	}
	alone(t)

	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	console, err := container(ctx, root).CombinedOutput()
	judge(t, root, console, err)
}

// container is a machine that boots a root file system, has no network, and is gone
// with the context.
func container(ctx context.Context, root string, more ...string) *exec.Cmd {
	machine := exec.CommandContext(ctx, "systemd-nspawn", append([]string{
		"--quiet", "--directory=" + root, "--boot", "--private-network",
		"--register=no", "--keep-unit", "--console=pipe",
	}, more...)...)
	machine.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	machine.Cancel = func() error { return machine.Process.Signal(os.Interrupt) } // ends the container, too
	machine.WaitDelay = 20 * time.Second
	return machine
}

// judge reads what the test inside has written.
func judge(t *testing.T, root string, console []byte, err error) {
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

// furnish makes a root file system that has the package lying around, the node that
// stands in for Bitcoin Core, and a unit that runs the test at the end of the boot.
func furnish(t *testing.T, name string) (root string) {
	t.Helper()
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
	root = filepath.Join(t.TempDir(), "root")
	at := func(name string) string { return filepath.Join(root, name) }
	command(t, "cp", "-a", "--reflink=auto", base, root)
	for _, dir := range []string{"test", "usr/lib/dmpool/node"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command(t, "cp", self, at("test/deb.test"))
	command(t, "cp", deb, at("test/dmpool.deb"))
	command(t, "cp", "../README.md", at("test/README.md"))

	// The whole tree: the program may be a script that looks for its libraries.
	command(t, "cp", "-a", filepath.Dir(filepath.Dir(bitcoind)), at("usr/lib/dmpool/node/test"))
	if err := os.Symlink("test", at("usr/lib/dmpool/node/current")); err != nil {
		t.Fatal(err)
	}
	unit := fmt.Sprintf(`[Unit]
Description=Test of DMPool's package
After=multi-user.target
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
Environment=DMPOOL_INSIDE=1 HOME=/root DEBIAN_FRONTEND=noninteractive
ExecStart=/test/deb.test -test.v -test.run ^%s$
StandardOutput=file:/test/log
StandardError=inherit
TimeoutStartSec=40min
`, name)
	if err := os.WriteFile(at("etc/systemd/system/dmpool-test.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	// Not of the boot itself, which would wait for it: a package starts its services
	// on a machine that is up.
	const kick = `[Timer]
OnStartupSec=1
[Install]
WantedBy=timers.target
`
	if err := os.WriteFile(at("etc/systemd/system/dmpool-test.timer"), []byte(kick), 0o644); err != nil {
		t.Fatal(err)
	}
	wants := at("etc/systemd/system/timers.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../dmpool-test.timer", filepath.Join(wants, "dmpool-test.timer")); err != nil {
		t.Fatal(err)
	}
	return root
}

// unbooted returns what a test needs that does not boot: a Debian 13 and the package.
func unbooted(t *testing.T) (base, deb string) {
	t.Helper()
	if os.Getenv("DMPOOL_INSIDE") != "" {
		t.Skip("this is the container")
	}
	base, deb = os.Getenv("DMPOOL_TRIXIE"), os.Getenv("DMPOOL_DEB")
	if base == "" || deb == "" || os.Getuid() != 0 {
		if os.Getenv("DMPOOL_TEST_ALL") != "" {
			t.Fatal("it needs root, DMPOOL_TRIXIE and DMPOOL_DEB")
		}
		t.Skip("it needs root, DMPOOL_TRIXIE and DMPOOL_DEB")
	}
	return base, deb
}

// enter runs one test of this program in a root file system that has a folder /test,
// without a network, and without a systemd.
func enter(t *testing.T, root, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command(t, "cp", self, filepath.Join(root, "test/deb.test"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--directory="+root, "--private-network", "--register=no", "--keep-unit",
		"--pipe", "--setenv=DMPOOL_INSIDE=1", "--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LC_ALL=C.UTF-8",
		"/test/deb.test", "-test.v", "-test.run", "^"+name+"$")
	out, err := c.CombinedOutput()
	t.Logf("inside:\n%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("failed inside: %v", err)
	}
}
