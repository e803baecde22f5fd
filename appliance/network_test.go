package appliance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// runBox runs a box that has been set up, on a real node without peers.
func runBox(t *testing.T, answers string) *runningBox {
	t.Helper()
	binary := realNode(t)
	dir := filepath.Join(t.TempDir(), "box")
	err := SetUp(t.Context(), dir, parse(t, answers))
	if errors.Is(err, bitcoind.ErrSmallDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	box, err := New(t.Context(), Config{
		DataDir: dir, Bitcoind: binary, Offline: true, Stratum: []net.Listener{ln}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &runningBox{t: t, box: box, cancel: cancel, ended: make(chan error, 1), rest: func() {}}
	go func() { b.ended <- box.Run(ctx) }()
	t.Cleanup(b.stop)
	return b
}

const askAnswers = `","operator":{"password":"` + goodPassword + `"},"wallet":{"passphrase":"correct horse"}}`

// From an empty directory, offline: each network stays at its start and says so,
// and only the private chain hands out work.
func TestNodeOfEachNetworkFromEmptyDirectory(t *testing.T) {
	t.Parallel()
	tests := []struct {
		network, phase, text string
		serving              bool
	}{
		{"practice", "ready", "the chain lives on this box alone", true},
		{"signet", "headers-presync", "It is at the start of the chain and looks for other nodes. It has no connection to other nodes", false},
	}
	for _, test := range tests {
		t.Run(test.network, func(t *testing.T) {
			b := runBox(t, `{"network":"`+test.network+askAnswers)
			var s NodeStatus
			b.eventually("the node answers", func() bool { s = b.box.Node(t.Context()); return s.Asked })
			if s.Phase != test.phase || !strings.Contains(s.Text, test.text) {
				t.Errorf("Node() = %s: %q, want %s: %q", s.Phase, s.Text, test.phase, test.text)
			}
			if s.OnDisk == 0 || s.DiskFree == nil || *s.DiskFree == 0 {
				t.Errorf("Node() has %d bytes on disk, %v free", s.OnDisk, s.DiskFree)
			}
			b.eventually("the node announces its blocks", func() bool { p := b.box.Pool(); return p != nil && p.Status().Notice.ZMQ })
			b.eventually("the wallet is open", func() bool { return b.box.Wallet(t.Context()).Known })
			if test.serving {
				b.eventually("there is work", func() bool { return b.box.Pool().Status().Serving })
				return
			}
			b.eventually("the pool says why it waits", func() bool {
				return strings.Contains(b.box.Pool().Status().Reason, "the node does not have the whole chain yet")
			})
			if !strings.Contains(s.Notice, "bad-signet-blksig") {
				t.Errorf("Notice = %q", s.Notice)
			}
			if h := b.box.Health(t.Context()); h.Checks[0].Status != Degraded || !strings.Contains(h.Checks[0].NextStep, "miners stay connected") {
				t.Errorf("Health() = %+v", h.Checks[0])
			}
		})
	}
}

// The whole box on the networks that Knots has left, with the node that left them.
// Mainnet takes a disk that not everybody tests on.
func TestGuardRefusesKnots(t *testing.T) {
	for _, network := range []string{"testnet4", "main"} {
		t.Run(network, func(t *testing.T) { guardRefusesKnots(t, network) })
	}
}

func guardRefusesKnots(t *testing.T, network string) {
	b := runBox(t, `{"network":"`+network+askAnswers)
	var s NodeStatus
	b.eventually("the node is looked at", func() bool { s = b.box.Node(t.Context()); return s.Asked })
	if !strings.Contains(s.Version, "Knots") {
		t.Skip("no Knots: ", s.Version)
	}
	if s.Phase != "failed" || s.Class != "chain" || !strings.HasPrefix(s.Text, "The node is Bitcoin Knots") || !strings.HasPrefix(s.Next, "Use Bitcoin Core") {
		t.Errorf("Node() = %s (%s): %q %q", s.Phase, s.Class, s.Text, s.Next)
	}
	b.eventually("the pool says why there is no work", func() bool {
		return strings.HasPrefix(b.box.Pool().Status().Reason, "The node is Bitcoin Knots")
	})
	b.eventually("no wallet is made there", func() bool {
		return strings.Contains(b.box.Wallet(t.Context()).Problem, "Bitcoin Knots")
	})
	if names, err := b.box.node.ListWallets(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("wallets %v, %v", names, err)
	}
	if h := b.box.Health(t.Context()); h.Status != Down || h.Checks[0].Reason != s.Text || h.Checks[0].NextStep != s.Next {
		t.Errorf("Health() = %+v", h)
	}
}

func TestNetworkSwitchKeepsEverything(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, refused := range []NetworkSwitch{
		{Network: "signet"}, {Network: "signet", Confirm: "Signet"}, {Network: "test", Confirm: "test"},
	} {
		if err := a.SwitchNetwork(ctx, refused); err == nil {
			t.Errorf("SwitchNetwork(%+v) = nil", refused)
		}
	}
	if next, err := a.NextNetwork(); next != "practice" || err != nil {
		t.Fatalf("NextNetwork() = %s, %v", next, err)
	}
	if err := a.SwitchNetwork(ctx, NetworkSwitch{Network: "signet", Confirm: "signet", Actor: "admin", IP: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if next, err := a.NextNetwork(); next != "signet" || a.Network() != "practice" || err != nil {
		t.Errorf("network %s, then %s, %v", a.Network(), next, err)
	}
	audit, err := a.AuditLog(ctx, 1)
	if err != nil || len(audit) != 1 || audit[0].Action != "network" || audit[0].Object != "signet" {
		t.Errorf("audit %+v, %v", audit, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	// The flag is for the first start only.
	b, err := New(ctx, Config{DataDir: dir, Network: "practice", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if b.Network() != "signet" || b.SetUp(ctx) {
		t.Errorf("network %s, set up %t; want signet without a set-up", b.Network(), b.SetUp(ctx))
	}
	if err := b.SwitchNetwork(ctx, NetworkSwitch{Network: "practice", Confirm: "practice"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if c := open(t, dir); c.Network() != "practice" || !c.SetUp(ctx) {
		t.Errorf("network %s, set up %t; want practice as it was", c.Network(), c.SetUp(ctx))
	}
}

func TestNetworkSwitchBySetUp(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	signet := parse(t, `{"network":"signet`+askAnswers)
	if err := SetUp(ctx, dir, signet); err == nil || !strings.Contains(err.Error(), "--switch-network") {
		t.Errorf("SetUp() for another network: %v", err)
	}
	bad := signet
	bad.Operator.Password = "short"
	if err := SwitchAndSetUp(ctx, dir, bad); err == nil {
		t.Error("SwitchAndSetUp() with a bad password = nil")
	}
	if got, _ := (dataDir{dir}).network(); got != "practice" {
		t.Errorf("network %s after a refused set-up", got)
	}

	a, err := New(ctx, Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := SwitchAndSetUp(ctx, dir, signet); err == nil || !strings.Contains(err.Error(), "in use by the dmpool") {
		t.Errorf("SwitchAndSetUp() beside a daemon: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	if err := SwitchAndSetUp(ctx, dir, signet); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"practice", "signet"} {
		if _, err := os.Stat((dataDir{dir}).ledger(network)); err != nil {
			t.Error(err)
		}
	}
	back := parse(t, `{"network":"practice","operator":{"password":"`+goodPassword+`"}}`)
	if err := SwitchAndSetUp(ctx, dir, back); err != nil {
		t.Errorf("back to a network that is set up: %v", err)
	}
	if err := SwitchAndSetUp(ctx, dir, back); !errors.Is(err, ErrSetUp) {
		t.Errorf("once more: %v", err)
	}
}

func TestNodePlanIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	a, err := New(t.Context(), Config{DataDir: dir, Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	first, err := a.nodePlan(t.Context(), nodeSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.saveSetting(t.Context(), settingPrune, 12_345); err != nil {
		t.Fatal(err)
	}
	for want, wishes := range map[int]nodeSettings{12_345: {}, 0: {PruneMiB: new(0)}, 600: {PruneMiB: new(600)}} {
		if got, err := a.nodePlan(t.Context(), wishes); got.PruneMiB != want || got.DBCacheMiB != first.DBCacheMiB || err != nil {
			t.Errorf("nodePlan(%v) = %+v, %v, want %d", wishes.PruneMiB, got, err, want)
		}
	}
}
