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
	"strings"
	"sync/atomic"
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
