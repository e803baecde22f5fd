//go:build nspawn

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// What an administrator, or a pool that somebody has taken over, puts beside the
// copies keeps the node neither from its options nor from sharing its own.
func checkStrangeCopies(t *testing.T) {
	dir := bitcoind.Places{}.Copies(network)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("restored-by-root.wallet"), []byte("keys"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"umask 077; touch " + at("pool.wallet"),
		"ln -s /var/lib/dmpool-node-conf/" + network + ".conf " + at("link.wallet"),
		"ln -s /etc " + at("trial"),
		"mkfifo " + at("pipe.wallet"),
	} {
		if out, err := as(t, "dmpool", "sh", "-c", script); err != nil {
			t.Fatal(out)
		}
	}
	rights := func() string {
		return command(t, "stat", "--format=%a %U", "/etc", conf().Path(), at("restored-by-root.wallet"), at("pool.wallet"))
	}
	before := rights()
	for _, unit := range []string{"dmpool-node-apply@", "dmpool-node-copies@"} {
		if out, err := as(t, "dmpool", "systemctl", "--no-ask-password", "start", unit+network+".service"); err != nil {
			t.Errorf("%s: %s\n%s", unit, out, command(t, "journalctl", "--no-pager", "-n", "10"))
		}
	}
	if after := rights(); after != before {
		t.Errorf("other files have changed:\n%s\nand were\n%s", after, before)
	}
	// A trial that the node's user cannot remove stops the copies, and nothing else.
	if out, err := as(t, "dmpool", "sh", "-c", "umask 077; mkdir -p "+at("trial/deep")); err != nil {
		t.Fatal(out)
	}
	if out, err := as(t, "dmpool", "systemctl", "--no-ask-password", "start", "dmpool-node-apply@"+network+".service"); err != nil {
		t.Errorf("no options: %s", out)
	}
	for _, name := range []string{"restored-by-root.wallet", "pool.wallet", "link.wallet", "pipe.wallet", "trial"} {
		if err := os.RemoveAll(at(name)); err != nil {
			t.Error(err)
		}
	}
}

// A name that the pool may start is not its own to fill, also where the unit of that
// name is gone: systemd would run as root whatever comes with the question.
func checkMadeUpUnits(t *testing.T) {
	const file = "/usr/lib/systemd/system/dmpool-node-install.service"
	if err := os.Rename(file, "/test/aside"); err != nil {
		t.Fatal(err)
	}
	command(t, "systemctl", "daemon-reload")
	defer func() {
		if err := os.Rename("/test/aside", file); err != nil {
			t.Error(err)
		}
		command(t, "systemctl", "daemon-reload")
	}()
	for _, unit := range []string{"dmpool-node-install.service", nodeUnit, "dmpool-node-apply@signet.service"} {
		out, err := as(t, "dmpool", "systemd-run", "--no-ask-password", "--unit="+unit, "id")
		if err == nil || !strings.Contains(out, "ccess denied") {
			t.Errorf("dmpool may make up %s (%v): %s", unit, err, out)
		}
	}
}

// A connection to systemd that is lost while the node stops, and with it the news of
// its end, is made again.
func checkBusIsLost(t *testing.T, p *pool) {
	defer dropIn(t, "dmpool-bitcoind@.service", "ExecStop=/bin/sleep 3\n")()
	pid := property(t, nodeUnit, "MainPID")
	p.order("restart")
	p.until("stopping", func(s bitcoind.State) bool { return s.Phase == bitcoind.PhaseStopping })
	command(t, "systemctl", "restart", "dbus.service")
	if s := p.ready(); strconv.Itoa(s.PID) == pid {
		t.Errorf("State = %+v, want the node started again", s)
	}
}

// checkPoolBesideStoppingNode shows that a pool that was killed is back at once,
// however long its node takes to stop.
func checkPoolBesideStoppingNode(t *testing.T) {
	defer dropIn(t, "dmpool-bitcoind@.service", "ExecStop=/bin/sleep 5\n")()
	command(t, "systemctl", "stop", "--no-block", nodeUnit)
	command(t, "systemctl", "kill", "--signal=KILL", "dmpool.service")
	waitFor(t, "the pool runs again", func() bool { return property(t, "dmpool.service", "ActiveState") == "active" })
	if node := property(t, nodeUnit, "ActiveState"); node != "deactivating" {
		t.Errorf("the node is %s, so that the pool may have waited for it", node)
	}
	waitFor(t, "the box is healthy after that", healthy)
}

// checkShutdown stops what the end of the machine stops, at once: the pool has ended
// before its node begins to.
func checkShutdown(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "systemctl", "stop", "dmpool.service", "dmpool-nodes.target", nodeUnit).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	journal := command(t, "journalctl", "--no-pager", "--output=cat", "--identifier=systemd")
	pool, node := strings.LastIndex(journal, "Stopped dmpool.service"), strings.LastIndex(journal, "Stopping "+nodeUnit)
	if pool < 0 || node < pool {
		t.Errorf("the node began to stop before the pool had ended:\n%s", journal)
	}
}
