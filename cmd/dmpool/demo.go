package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/cpuminer"
	"github.com/dmpool/dmpool/pool/node"
)

const (
	demoUser = "admin"
	// demoHashrate of each of the two miners makes about one block a second at
	// the practice chain's first difficulty (1e0377ae: 4.8 million hashes), and
	// leaves a laptop cool.
	demoHashrate = 2.4e6
	// demoPassword asks for shares easier than blocks, so that there are some.
	demoPassword = "d=0.0002"
	// demoWallet holds the two miners' addresses. Its coins are worthless, and
	// so is its passphrase.
	demoWallet = "demo-miners"
)

// demo is serve on the practice chain, with the set-up answered and two miners
// built in. It prints what a newcomer needs, and a STEP line, which programs can
// read too, for everything that happens for the first time.
func demo(ctx context.Context, c *cli) error {
	f := serveFlags{dataDir: defaultDataDir() + "-demo", network: "practice", https: httpsOff, logLevel: "warn"}
	f.add(c)
	if err := c.parse(); err != nil {
		return err
	}
	log, err := f.logger(c.stderr)
	if err != nil {
		return err
	}
	password, err := answerDemo(ctx, f.dataDir)
	if err != nil {
		return err
	}
	b, err := openBox(ctx, f, log)
	if err != nil {
		return err
	}
	d := &demoRun{box: b, out: c.stdout, log: log, seen: map[string]bool{}}
	d.welcome(password)
	err = b.run(ctx, d.run)
	if ctx.Err() != nil {
		fmt.Fprintln(c.stdout, "\nStopped. The practice chain and its ledger stay in "+f.dataDir)
	}
	return err
}

// answerDemo does the set-up at the first start, with a password made for this
// data directory, and returns the password.
func answerDemo(ctx context.Context, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("data directory %s cannot be made: %w; choose another with --data-dir", dir, err)
	}
	file := filepath.Join(dir, "demo-password")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		// Words of a base32 text: easy to type, and what the password rule asks.
		r := rand.Text()
		password := "Demo-" + strings.ToLower(r[:4]+"-"+r[4:8]+"-"+r[8:12])
		text = []byte(password + "\n")
		if err := renameio.WriteFile(file, text, 0o600); err != nil {
			return "", fmt.Errorf("keep demo password: %w", err)
		}
	} else if err != nil {
		return "", fmt.Errorf("read demo password: %w", err)
	}
	password := strings.TrimSpace(string(text))
	err = appliance.SetUp(ctx, dir, appliance.Answers{
		Network:  "practice",
		Operator: appliance.OperatorAnswer{User: demoUser, Password: password},
	})
	if err != nil && !errors.Is(err, appliance.ErrSetUp) {
		return "", err
	}
	return password, nil
}

// demoRun is what the demo does beside serving.
type demoRun struct {
	box  *box
	out  io.Writer
	log  *slog.Logger
	seen map[string]bool // steps that were told
}

func (d *demoRun) welcome(password string) {
	_, pages, _ := net.SplitHostPort(d.box.pages.Addr().String())
	host := d.box.appliance.Addresses()[0]
	fmt.Fprintf(d.out, `
DMPool demo: a whole pool on a private chain. Its coins are worth nothing, all
else is real. Two miners are built in; connect more if you like.

  Pages      http://localhost:%s        (from another device: http://%s:%s)
  Login      %s
  Password   %s
  Stratum    stratum+tcp://%s:%d   user ADDRESS.NAME, any password

What happens next: blocks about once a second, the first reward is mature after
101 of them, and then a payout waits for your click on the Payouts page.
Ctrl-C stops everything.

`, pages, host, pages, demoUser, password, host, d.box.appliance.StratumPort())
}

// run starts the miners when the node is there and tells the steps.
func (d *demoRun) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		d.tell(ctx, d.box.appliance.Subscribe)
		return nil
	})
	g.Go(func() error {
		addresses, err := d.minerAddresses(ctx)
		if err != nil {
			return ignoreCancel(ctx, err)
		}
		for i, name := range []string{"alice.laptop", "bob.desktop"} {
			_, worker, _ := strings.Cut(name, ".")
			m, err := cpuminer.New(cpuminer.Config{
				URL:      fmt.Sprintf("stratum+tcp://127.0.0.1:%d", d.box.appliance.StratumPort()),
				User:     addresses[i] + "." + worker,
				Password: demoPassword, Threads: 1, MaxHashrate: demoHashrate, Logger: d.log,
			})
			if err != nil {
				return err
			}
			g.Go(func() error { return ignoreCancel(ctx, m.Run(ctx)) })
		}
		return nil
	})
	return g.Wait()
}

// minerAddresses waits for the node and returns two addresses of the throw-away
// wallet, the same ones at every start.
func (d *demoRun) minerAddresses(ctx context.Context) ([]string, error) {
	for d.box.appliance.NodeClient() == nil || d.box.appliance.Node(ctx).Phase != "ready" {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	d.step("node-ready", fmt.Sprintf("height=%d", d.box.appliance.Node(ctx).Height))

	wallet := d.box.appliance.NodeClient().ForWallet(demoWallet)
	err := wallet.LoadWallet(ctx, demoWallet)
	if node.IsCode(err, node.ErrCodeNoWallet) {
		err = wallet.CreateWallet(ctx, demoWallet, rand.Text())
	}
	if err != nil {
		return nil, fmt.Errorf("open the demo miners' wallet: %w", err)
	}
	var addresses []string
	for _, label := range []string{"alice", "bob"} {
		address, err := addressByLabel(ctx, wallet, label)
		if err != nil {
			return nil, fmt.Errorf("address of demo miner %s: %w", label, err)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// addressByLabel returns the wallet's address with that label, a new one when
// there is none (RPC getaddressesbylabel).
func addressByLabel(ctx context.Context, wallet *node.Client, label string) (string, error) {
	known := map[string]any{}
	err := wallet.WalletCall(ctx, "getaddressesbylabel", &known, label)
	for address := range known {
		return address, nil
	}
	if err != nil && !node.IsCode(err, node.ErrCodeNoLabel) {
		return "", err
	}
	return wallet.NewAddress(ctx, label)
}

// tell prints a step for the first event of each kind, until ctx ends.
func (d *demoRun) tell(ctx context.Context, subscribe func() (<-chan pool.Event, func())) {
	events, cancel := subscribe()
	defer func() { cancel() }()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok { // dropped for being slow, as when the terminal stood still
				events, cancel = subscribe()
				continue
			}
			d.tellEvent(e)
		}
	}
}

func (d *demoRun) tellEvent(e pool.Event) {
	switch {
	case e.Kind == "share":
		d.step("first-share", "address="+e.Address)
	case e.Kind == "block":
		d.step("first-block", fmt.Sprintf("height=%d hash=%s", e.Height, e.Hash))
	case e.Kind == "block-state" && e.State == "mature":
		d.step("first-mature-block", fmt.Sprintf("height=%d amount=%d", e.Height, e.Amount))
	case e.Kind == "payout" && e.State == "pending":
		d.step("payout-drafted", fmt.Sprintf("amount=%d", e.Amount))
	case e.Kind == "payout" && e.State == "approved":
		d.step("payout-approved", fmt.Sprintf("amount=%d", e.Amount))
	case e.Kind == "payout" && e.State == "settled":
		d.step("payout-settled", fmt.Sprintf("amount=%d txid=%s", e.Amount, e.Hash))
	}
}

func (d *demoRun) step(name, detail string) {
	if d.seen[name] {
		return
	}
	d.seen[name] = true
	fmt.Fprintf(d.out, "STEP %s %s\n", name, detail)
}

func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
