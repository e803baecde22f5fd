//go:build nspawn

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/systemd"
	"github.com/dmpool/dmpool/pool/node"
)

const (
	network  = bitcoind.NetworkPractice
	nodeUnit = "dmpool-bitcoind@" + network + ".service"
)

// conf is the node's configuration on this machine.
func conf() bitcoind.Conf {
	c := bitcoind.Places{}.Conf(network)
	c.RPCPort, c.ZMQPort = 18500, 18501
	return c
}

func client() *node.Client {
	return node.New(node.Config{URL: conf().RPCURL(), CookieFile: conf().CookieFile(), Network: network, Wallet: "dmpool-practice"})
}

// poolMain is the pool: it looks after the node, prints each state, and takes
// orders: "restart", "full", "free", "backup FILE", "wallet".
func poolMain() {
	var full atomic.Bool
	rpc := client()
	allowed := true // one repair
	u := bitcoind.NewUnit(bitcoind.UnitConfig{
		Care: bitcoind.Care{
			Conf:  conf(),
			Probe: func(ctx context.Context) error { _, err := rpc.BlockchainInfo(ctx); return err },
			Measure: func(string) (bitcoind.Machine, error) {
				if full.Load() {
					return bitcoind.Machine{DiskTotal: 1 << 40}, nil
				}
				return bitcoind.Machine{DiskTotal: 1 << 40, DiskFree: 1 << 39}, nil
			},
			Mend: func(context.Context, bitcoind.Class, bitcoind.Repair) error {
				if !allowed {
					return errors.New("somebody has to decide")
				}
				allowed = false
				return nil
			},
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), ProbeEvery: 100 * time.Millisecond, WatchEvery: 200 * time.Millisecond,
		},
		Services: &systemd.Bus{}, LookEvery: 200 * time.Millisecond,
	})
	out := json.NewEncoder(os.Stdout)
	say := func(v any) {
		if err := out.Encode(v); err != nil {
			os.Exit(1) // nobody listens any more
		}
	}
	states := make(chan bitcoind.State)
	answers := make(chan string)
	go func() {
		for {
			changed := u.Changed()
			states <- u.State()
			<-changed
		}
	}()
	go func() {
		for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
			word, rest, _ := strings.Cut(orders.Text(), " ")
			err := error(nil)
			switch word {
			case "restart":
				u.Restart()
				continue
			case "full", "free":
				full.Store(word == "full")
				continue
			case "wallet":
				err = rpc.CreateWallet(context.Background(), "dmpool-practice", "secret")
			case "backup":
				err = rpc.BackupWallet(context.Background(), rest)
			}
			answers <- fmt.Sprintf("%s: %v", word, err)
		}
		os.Exit(0)
	}()
	go func() {
		if err := u.Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	for {
		select {
		case s := <-states:
			say(map[string]any{"state": s})
		case a := <-answers:
			say(map[string]any{"answer": a})
		}
	}
}

// pool is poolMain in a process of its own, of the pool's user.
type pool struct {
	t       *testing.T
	command *exec.Cmd
	orders  io.WriteCloser
	said    *bufio.Scanner
}

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

func startPool(t *testing.T) *pool {
	t.Helper()
	// It lives longer than the part of the test that starts it.
	p := &pool{t: t, command: exec.CommandContext(context.Background(), "/test/node.test", "pool")}
	p.command.SysProcAttr = credential(t, "dmpool", "dmpool-rpc")
	p.command.Stderr = os.Stderr
	var err error
	if p.orders, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.said = bufio.NewScanner(out)
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends the pool as the kernel would.
func (p *pool) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

func (p *pool) order(text string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.orders, text); err != nil {
		p.t.Fatal(err)
	}
}

type saying struct {
	State  *bitcoind.State
	Answer string
}

func (p *pool) next(what string) (s saying) {
	p.t.Helper()
	if !p.said.Scan() {
		p.t.Fatalf("the pool ended before %s: %v", what, p.said.Err())
	}
	if err := json.Unmarshal(p.said.Bytes(), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *pool) until(what string, want func(bitcoind.State) bool) bitcoind.State {
	p.t.Helper()
	limit := time.AfterFunc(time.Minute, func() { _ = p.command.Process.Kill() })
	defer limit.Stop()
	for {
		s := p.next(what)
		if s.State != nil {
			p.t.Logf("%s %s: %s", s.State.Phase, s.State.Class, s.State.Text)
			if want(*s.State) {
				return *s.State
			}
		}
	}
}

func (p *pool) ready() bitcoind.State {
	p.t.Helper()
	return p.until("ready", func(s bitcoind.State) bool { return s.Phase == bitcoind.PhaseReady })
}

func (p *pool) ask(text string) string {
	p.t.Helper()
	p.order(text)
	for {
		if s := p.next(text); s.Answer != "" {
			return s.Answer
		}
	}
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
	if os.Getenv("DMPOOL_INSIDE") == "" {
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
	t.Run("copies", func(t *testing.T) { p.t = t; checkCopies(t, p) })
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
}

// Systemd alone starts a node again that was killed; what it waits for is
// shortened here.
func checkWithoutPool(t *testing.T, p *pool) {
	p.kill()
	dir := "/run/systemd/system/dmpool-bitcoind@.service.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test.conf", []byte("[Service]\nRestartSec=100ms\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "systemctl", "daemon-reload")
	pid := property(t, nodeUnit, "MainPID")
	number, err := strconv.Atoi(pid)
	if err != nil || number == 0 {
		t.Fatalf("the node does not run without the pool: %q", pid)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	limit := time.Now().Add(time.Minute)
	for property(t, nodeUnit, "MainPID") == pid || property(t, nodeUnit, "ActiveState") != "active" {
		if time.Now().After(limit) {
			t.Fatalf("systemd did not start it again:\n%s", command(t, "journalctl", "--no-pager", "-u", nodeUnit))
		}
		time.Sleep(100 * time.Millisecond)
	}
	command(t, "systemctl", "stop", nodeUnit)
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
