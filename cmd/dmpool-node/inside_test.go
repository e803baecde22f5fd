//go:build nspawn

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/packaging/booted"
)

// credential is that of a user with a further group.
func credential(t *testing.T, name string, groups ...string) *syscall.SysProcAttr {
	t.Helper()
	who, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) uint32 {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	c := &syscall.Credential{Uid: number(who.Uid), Gid: number(who.Gid)}
	for _, name := range groups {
		g, err := user.LookupGroup(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Groups = append(c.Groups, number(g.Gid))
	}
	return &syscall.SysProcAttr{Credential: c}
}

// as runs a command as a user and returns what it says.
func as(t *testing.T, who string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.SysProcAttr = credential(t, who)
	if who == "dmpool" {
		c.SysProcAttr = credential(t, who, "dmpool-rpc")
	}
	out, err := c.CombinedOutput()
	return string(out), err
}

// property asks systemd about the node's unit.
func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "systemctl", "show", "--value", "--property="+name, unit))
}

func TestInside(t *testing.T) {
	if !booted.Inside() {
		t.Skip("TestOnSystemd runs it in a container")
	}
	p := startPool(t)
	defer func() { p.kill() }()
	first := p.ready()
	if got := command(t, "stat", "--format=%U:%G", fmt.Sprintf("/proc/%d", first.PID)); got != "dmpool-node:dmpool-rpc\n" {
		t.Errorf("the node runs as %s", got)
	}
	if got := p.ask("wallet"); got != "wallet: <nil>" {
		t.Fatal(got)
	}

	t.Run("rights", checkRights)
	t.Run("made-up units", checkMadeUpUnits)
	t.Run("copies", func(t *testing.T) { p.t = t; checkCopies(t, p) })
	t.Run("strange copies", checkStrangeCopies)
	t.Run("install", checkInstall)
	t.Run("the pool restarts", func(t *testing.T) {
		p.kill()
		p = startPool(t)
		if again := p.ready(); again.PID != first.PID || property(t, nodeUnit, "NRestarts") != "0" {
			t.Errorf("State = %+v, want process %d", again, first.PID)
		}
	})
	t.Run("killed", func(t *testing.T) {
		p.t = t
		if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.until("killed", func(s bitcoind.State) bool { return s.Class == bitcoind.ClassKilled })
		if again := p.ready(); again.PID == first.PID || again.Restarts != 1 {
			t.Errorf("State = %+v, want another process", again)
		}
	})
	t.Run("the bus is lost", func(t *testing.T) { p.t = t; checkBusIsLost(t, p) })
	t.Run("broken options", func(t *testing.T) {
		p.t = t
		// The node's options are written anew at each start; but a second file of
		// options, in its data directory, is for nobody but a person to remove.
		stray := filepath.Join(conf().Dir, "bitcoin.conf")
		if err := errors.Join(os.WriteFile(conf().Path(), []byte("nonsense\n"), 0), os.WriteFile(stray, []byte("server=1\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		p.order("restart")
		s := p.until("refused", func(s bitcoind.State) bool { return s.Phase == bitcoind.PhaseFailed })
		if s.Class != bitcoind.ClassConfig || !strings.Contains(s.Text, "which is ignored, because a different configuration") {
			t.Errorf("State = %+v, want the reason that bitcoind gave", s)
		}
		if err := os.Remove(stray); err != nil {
			t.Fatal(err)
		}
		p.ready()
	})
	t.Run("damage", func(t *testing.T) {
		p.t = t
		files, err := filepath.Glob(filepath.Join(conf().Dir, "signet/chainstate/MANIFEST-*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("nothing to spoil: %v", err)
		}
		if err := os.WriteFile(files[0], []byte(strings.Repeat("nonsense", 20)), 0); err != nil {
			t.Fatal(err)
		}
		p.order("restart")
		if s := p.until("damaged", func(s bitcoind.State) bool { return s.Phase == bitcoind.PhaseFailed }); s.Class != bitcoind.ClassChainstate {
			t.Errorf("State = %+v, want damage", s)
		}
		p.ready()
		if _, err := os.Stat(filepath.Join(conf().Dir, "repair")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the order is still there: %v", err)
		}
	})
	t.Run("stop", func(t *testing.T) {
		p.t = t
		p.order("full")
		p.until("stopped", func(s bitcoind.State) bool { return s.Class == bitcoind.ClassDisk })
		if a, r := property(t, nodeUnit, "ActiveState"), property(t, nodeUnit, "Result"); a != "inactive" || r != "success" {
			t.Errorf("the unit is %s after %s, want it stopped in order", a, r)
		}
		p.order("free")
		p.ready()
	})
	t.Run("without a pool", func(t *testing.T) { checkWithoutPool(t, p) })
	t.Run("the whole box", checkBox)
	t.Run("security", checkSecurity)
}

func checkRights(t *testing.T) {
	c := conf()
	if out, err := as(t, "dmpool", "cat", c.CookieFile()); err != nil {
		t.Errorf("the pool cannot read the cookie: %s", out)
	}
	wallet := filepath.Join(c.Dir, "signet/wallets/dmpool-practice/wallet.dat")
	if _, err := os.Stat(wallet); err != nil {
		t.Fatal(err)
	}
	node, pool := "dmpool-node", "dmpool"
	denied := []struct {
		who  string
		args []string
	}{
		{"nobody", []string{"cat", c.CookieFile()}},
		{pool, []string{"cat", wallet}},
		{pool, []string{"ls", filepath.Dir(wallet)}},
		{pool, []string{"ls", c.Dir}},
		{pool, []string{"cat", c.Path()}},
		{pool, []string{"cp", "/dev/null", c.Path()}},
		{pool, []string{"touch", filepath.Join(filepath.Dir(c.Path()), "main.conf")}},
		{pool, []string{"touch", filepath.Join(c.Dir, "bitcoin.conf")}},
		{pool, []string{"touch", filepath.Join(c.Dir, "repair")}},
		{pool, []string{"touch", "/var/lib/dmpool-node/x"}},
		{pool, []string{"touch", "/var/lib/dmpool-bin/current"}},
		{pool, []string{"touch", "/usr/lib/dmpool/node/current"}},
		{node, []string{"touch", "/var/lib/dmpool-request/x"}},
		{node, []string{"touch", "/var/lib/dmpool-bin/x"}},
		{node, []string{"ls", "/var/lib/dmpool"}},
		{"nobody", []string{"ls", "/var/lib/dmpool-request"}},
		{pool, []string{"systemctl", "--no-ask-password", "stop", "dbus.service"}},
		{pool, []string{"systemctl", "--no-ask-password", "start", "systemd-tmpfiles-clean.service"}},
		{pool, []string{"systemctl", "--no-ask-password", "start", "dmpool-bitcoind@regtest.service"}},
		{pool, []string{"systemctl", "--no-ask-password", "start", "dmpool-node-apply@..-x.service"}},
		{pool, []string{"systemctl", "--no-ask-password", "stop", "dmpool.service"}},
		{pool, []string{"systemctl", "--no-ask-password", "kill", nodeUnit}},
		{pool, []string{"systemctl", "--no-ask-password", "set-property", "--runtime", nodeUnit, "MemoryMax=1G"}},
		{pool, []string{"systemctl", "--no-ask-password", "enable", nodeUnit}},
		{pool, []string{"systemctl", "--no-ask-password", "daemon-reload"}},
		{pool, []string{"systemctl", "--no-ask-password", "poweroff"}},
		{pool, []string{"systemd-run", "--no-ask-password", "id"}},
		{pool, []string{"systemctl", "--no-ask-password", "restart", nodeUnit}},
		{pool, []string{"systemctl", "--no-ask-password", "clean", nodeUnit}},
		{pool, []string{"systemctl", "--no-ask-password", "freeze", nodeUnit}},
		{pool, []string{"systemctl", "--no-ask-password", "set-environment", "LD_PRELOAD=/tmp/x"}},
		{pool, []string{"systemctl", "--no-ask-password", "link", "--runtime", "/var/lib/dmpool-request/x.service"}},
		{pool, []string{"ln", "/var/lib/dmpool-node/practice/signet/debug.log", "/var/lib/dmpool-request/y"}},
		{node, []string{"systemctl", "--no-ask-password", "stop", nodeUnit}},
	}
	for _, d := range denied {
		if out, err := as(t, d.who, d.args...); err == nil {
			t.Errorf("%s may %q: %s", d.who, d.args, out)
		} else if !strings.Contains(out, "ermission denied") && !strings.Contains(out, "ccess denied") && !strings.Contains(out, "authentication required") {
			t.Errorf("%s may not %q, but for another reason: %s", d.who, d.args, out)
		}
	}
}

// The node writes copies that only it can read, until its user shares them; and it
// cannot write its own options, whoever calls its RPC.
func checkCopies(t *testing.T, p *pool) {
	file := filepath.Join(bitcoind.Places{}.Copies(network), "new.tmp")
	if got := p.ask("backup " + file); got != "backup: <nil>" {
		t.Fatal(got)
	}
	if _, err := as(t, "dmpool", "cat", file); err == nil {
		t.Error("the pool can read the copy before it was shared")
	}
	if out, err := as(t, "dmpool", "systemctl", "--no-ask-password", "start", "dmpool-node-copies@"+network+".service"); err != nil {
		t.Fatal(out)
	}
	for _, args := range [][]string{{"cat", file}, {"mv", file, file + ".wallet"}, {"rm", "-f", file + ".wallet"}} {
		if out, err := as(t, "dmpool", args...); err != nil {
			t.Errorf("the pool cannot %s the copy: %s", args[0], out)
		}
	}
	before, err := os.ReadFile(conf().Path())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.ask("backup " + conf().Path()); got == "backup: <nil>" {
		t.Error("the node wrote over its own options")
	}
	if after, err := os.ReadFile(conf().Path()); err != nil || string(after) != string(before) {
		t.Errorf("the options have changed (%v)", err)
	}
}

func checkInstall(t *testing.T) {
	lay := func(name, text string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", "-c", "umask 027; cat >/var/lib/dmpool-request/"+name)
		c.SysProcAttr = credential(t, "dmpool")
		c.Stdin = strings.NewReader(text)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	lay("core.json", `{"do":"install","version":"31.1","height":0}`)
	lay("bitcoin-31.1-x86_64-linux-gnu.tar.gz", "something else")
	lay("bitcoin-31.1-aarch64-linux-gnu.tar.gz", "something else")
	if _, err := as(t, "dmpool", "systemctl", "--no-ask-password", "start", "dmpool-node-install.service"); err == nil {
		t.Error("something else was installed as Bitcoin Core")
	}
	refusal, err := os.ReadFile("/var/lib/dmpool-bin/refusal")
	if err != nil || !strings.Contains(string(refusal), "none of the releases") {
		t.Errorf("refusal (%v) = %q\n%s", err, refusal, command(t, "journalctl", "--no-pager", "-u", "dmpool-node-install.service"))
	}
	if out, err := as(t, "dmpool", "systemctl", "--no-ask-password", "reset-failed", "dmpool-node-install.service"); err != nil {
		t.Error(out)
	}
	// No release can be had here; but the program has to run where a new one is tried.
	done := dropIn(t, "dmpool-node-install.service", "ExecStart=\nExecStart=/usr/lib/dmpool/node/current/bin/bitcoind -version\n")
	defer done()
	if out, err := exec.CommandContext(t.Context(), "systemctl", "start", "dmpool-node-install.service").CombinedOutput(); err != nil {
		t.Errorf("bitcoind does not run in the installer's sandbox: %s\n%s", out, command(t, "journalctl", "--no-pager", "-n", "20"))
	}
}

// dropIn changes a unit until the returned function is called.
func dropIn(t *testing.T, unit, text string) (undo func()) {
	t.Helper()
	dir := "/run/systemd/system/" + unit + ".d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test.conf", []byte("[Service]\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "systemctl", "daemon-reload")
	return func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		command(t, "systemctl", "daemon-reload")
	}
}

// Systemd alone starts a node again that was killed; what it waits for is
// shortened here.
func checkWithoutPool(t *testing.T, p *pool) {
	p.kill()
	defer dropIn(t, "dmpool-bitcoind@.service", "RestartSec=100ms\n")()
	pid := property(t, nodeUnit, "MainPID")
	number, err := strconv.Atoi(pid)
	if err != nil || number == 0 {
		t.Fatalf("the node does not run without the pool: %q", pid)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "systemd starts it again", func() bool {
		return property(t, nodeUnit, "MainPID") != pid && property(t, nodeUnit, "ActiveState") == "active"
	})
	command(t, "systemctl", "stop", nodeUnit)
}

// checkBox runs the real pool as its own unit: it starts its node and makes a
// wallet, of which there is a copy that was tried; and its node outlives it.
func checkBox(t *testing.T) {
	answers := `{"network":"practice","operator":{"password":"Correct horse battery staple 42"}}`
	if err := os.WriteFile("/test/answers.json", []byte(answers), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := as(t, "dmpool", "/usr/bin/dmpool", "setup", "--data-dir", "/var/lib/dmpool", "--answers", "/test/answers.json"); err != nil {
		t.Fatal(out)
	}
	command(t, "systemctl", "start", "dmpool.service")
	waitFor(t, "the box is healthy", healthy)
	copies := filepath.Join(bitcoind.Places{}.Copies(network), "*-dmpool-practice.wallet")
	waitFor(t, "there is a copy of the wallet", func() bool {
		found, err := filepath.Glob(copies)
		return err == nil && len(found) == 1 && strings.TrimSpace(command(t, "stat", "--format=%U %a", found[0])) == "dmpool-node 640"
	})
	if _, err := os.Stat(filepath.Join(filepath.Dir(copies), "trial")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the trial of the copy is still there: %v", err)
	}
	pid := property(t, nodeUnit, "MainPID")
	command(t, "systemctl", "restart", "dmpool.service")
	waitFor(t, "the box is healthy again", healthy)
	checkRestart(t)
	checkStop(t)
	if again := property(t, nodeUnit, "MainPID"); again != pid || pid == "0" {
		t.Errorf("the node was process %s and is %s", pid, again)
	}
	checkPoolLaysFiles(t)
	command(t, "systemctl", "start", "dmpool.service")
	waitFor(t, "the box is healthy once more", healthy)
	checkPoolBesideStoppingNode(t)
	checkShutdown(t)
}

// checkPoolLaysFiles tries in the pool's own sandbox that it can lay a file there for
// the node to read.
func checkPoolLaysFiles(t *testing.T) {
	t.Helper()
	file := filepath.Join(bitcoind.Places{}.Copies(network), "laid.wallet")
	script := fmt.Sprintf("umask 077 && touch %[1]s && chgrp dmpool-rpc %[1]s && chmod 640 %[1]s", file)
	defer dropIn(t, "dmpool.service", "Type=oneshot\nRestart=no\nExecStart=\nExecStart=/bin/sh -c '"+script+"'\n")()
	command(t, "systemctl", "start", "dmpool.service")
	if got := strings.TrimSpace(command(t, "stat", "--format=%U:%G %a", file)); got != "dmpool:dmpool-rpc 640" {
		t.Errorf("the file is %s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Error(err)
	}
}

// healthy tells whether the box says of itself that it is.
func healthy() bool {
	resp, err := http.Get("http://127.0.0.1:8080/api/health") //nolint:noctx // on this machine
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var health struct{ Status string }
	err = json.NewDecoder(resp.Body).Decode(&health)
	return err == nil && health.Status == "healthy"
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it never came to be that %s:\n%s", what, command(t, "journalctl", "--no-pager", "-n", "60"))
		}
	}
}

// checkSecurity asks for the scores of the units, and whether all went well.
func checkSecurity(t *testing.T) {
	for _, unit := range []string{
		"dmpool.service", nodeUnit, "dmpool-node-apply@" + network + ".service",
		"dmpool-node-copies@" + network + ".service", "dmpool-node-install.service",
	} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--no-pager", "--threshold=20", unit).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Log(lines[len(lines)-1])
		if err != nil {
			t.Errorf("%s is too open (%v):\n%s", unit, err, out)
		}
	}
	if failed := command(t, "systemctl", "--failed", "--no-legend"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
}
