//go:build nspawn

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/packaging/booted"
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
	env := booted.Wants(t, "DMPOOL_TRIXIE", "DMPOOL_BITCOIND", "DMPOOL_DEB")
	root := booted.Root(t, env[0], "node.test")
	booted.LayNode(t, root, env[1])
	command(t, "dpkg-deb", "--extract", env[2], root)
	booted.LayUnit(t, root, "dmpool-test.service", `[Unit]
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
`, "multi-user.target")
	booted.Run(t, root, 6*time.Minute)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out))
	}
	return string(out)
}
