//go:build nspawn

package packaging

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/packaging/booted"
)

// The tests of the package boot a Debian 13 in a container that knows nothing of
// DMPool. There this same program runs, as root, what a person would type: see
// inside_test.go. They need root, systemd-nspawn, DMPOOL_TRIXIE (scripts/trixie.sh),
// DMPOOL_BITCOIND (scripts/bitcoind.sh) and DMPOOL_DEB (scripts/deb.sh).

// TestInstall is the quick one: from the package to a healthy box and a fire drill in it.
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
	booted.Run(t, root, most)
}

// furnish makes a root file system that has the package lying around, the node that
// stands in for Bitcoin Core, and a unit that runs the test at the end of the boot.
func furnish(t *testing.T, name string) (root string) {
	t.Helper()
	env := booted.Wants(t, "DMPOOL_TRIXIE", "DMPOOL_BITCOIND", "DMPOOL_DEB")
	root = booted.Root(t, env[0], "deb.test")
	booted.LayNode(t, root, env[1])
	command(t, "cp", env[2], filepath.Join(root, "test/dmpool.deb"))
	command(t, "cp", "../README.md", filepath.Join(root, "test/README.md"))
	booted.LayUnit(t, root, "dmpool-test.service", fmt.Sprintf(`[Unit]
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
`, name), "")
	// Not of the boot itself, which would wait for it: a package starts its services
	// on a machine that is up.
	booted.LayUnit(t, root, "dmpool-test.timer", `[Timer]
OnStartupSec=1
[Install]
WantedBy=timers.target
`, "timers.target")
	return root
}

// unbooted returns what a test needs that does not boot: a Debian 13 and the package.
func unbooted(t *testing.T) (base, deb string) {
	t.Helper()
	env := booted.Wants(t, "DMPOOL_TRIXIE", "DMPOOL_DEB")
	return env[0], env[1]
}

// enter runs one test of this program in a root file system that has a folder /test,
// without a network, and without a systemd.
func enter(t *testing.T, root, name string) {
	t.Helper()
	booted.Bring(t, root, "deb.test")
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
