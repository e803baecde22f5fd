package appliance

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/dmpool/dmpool/appliance/alert"
	"github.com/dmpool/dmpool/appliance/faultdisk"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node/nodetest"
	"github.com/dmpool/dmpool/pool/payout"
)

// alertTests are the alerts of a real box, from what makes them to what a real receiver
// was sent. Each names the types of rules that it sees.
func alertTests() []struct {
	name  string
	types []string
	run   func(t *testing.T)
} {
	return []struct {
		name  string
		types []string
		run   func(t *testing.T)
	}{
		{"mining", []string{alert.BlockFound, alert.BlockMature, alert.BlockOrphaned, alert.BlockRejected, alert.BestShare}, alertsOfMining},
		{"miners", []string{alert.WorkerOffline, alert.HashrateDrop, alert.RejectRate}, alertsOfMiners},
		{"node", []string{alert.NodeStalled, alert.NodeSyncing, alert.NodePeers, alert.ClockWrong}, alertsOfNode},
		{"books", []string{alert.LedgerFrozen, alert.BackupOld}, alertsOfBooks},
		{"payouts", []string{alert.PayoutApprove, alert.PayoutStuck, alert.PayoutConfirmed}, alertsOfPayouts},
		{"disk", []string{alert.DiskLow}, alertsOfDisk},
		{"upgrade", []string{alert.FormatNew}, alertsOfUpgrade},
	}
}

func TestAlerts(t *testing.T) {
	for _, test := range alertTests() {
		t.Run(test.name, test.run)
	}
}

// No rule of the program is without a test that raises it.
func TestEachAlertHasATest(t *testing.T) {
	tested := map[string]bool{}
	for _, test := range alertTests() {
		for _, kind := range test.types {
			tested[kind] = true
		}
	}
	for _, k := range alert.Kinds() {
		if !k.Own && !tested[k.Type] {
			t.Errorf("%s has no test that triggers it", k.Type)
		}
	}
}

// watched is a running box whose alerts go to a receiver, and whose time is told to it.
type watched struct {
	*runningBox
	now  time.Time
	got  chan alert.Hook
	seen []alert.HookAlert
}

func watchBox(t *testing.T, c Config) *watched {
	t.Helper()
	w := &watched{got: make(chan alert.Hook, 100), now: time.Now()}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var h alert.Hook
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &h)
		}
		if err != nil {
			t.Errorf("received %q: %v", body, err)
		}
		w.got <- h
	}))
	t.Cleanup(server.Close)
	c.Alerts.byHand = true
	w.runningBox = launchWith(t, c)
	_, err := w.box.SetAlertChannel(t.Context(), alert.Channel{Kind: alert.Webhook, Name: "test", Enabled: true, PerHour: 1000}, alert.Secret{URL: server.URL}, "admin", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// look has the box look at everything, some time later.
func (w *watched) look(later time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(later)
	if err := w.box.alerts.Look(context.Background(), w.box.look(context.Background(), w.now)); err != nil {
		w.t.Fatal(err)
	}
}

// hear waits for news of an alert of a type while it looks again and again, every so
// often, and returns them.
func (w *watched) hear(kind, news string, every time.Duration) alert.HookAlert {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if i := slices.IndexFunc(w.seen, func(a alert.HookAlert) bool { return a.Type == kind && a.News == news }); i >= 0 {
			a := w.seen[i]
			w.seen = slices.Delete(w.seen, i, i+1)
			if a.Title == "" || strings.ContainsAny(a.Title+strings.Join(a.Lines, ""), "{}") {
				w.t.Errorf("%s came without words: %+v", kind, a)
			}
			return a
		}
		w.look(every)
		select {
		case h := <-w.got:
			w.seen = append(w.seen, h.Alerts...)
		case <-time.After(100 * time.Millisecond):
		}
	}
	w.t.Fatalf("%s was not %s; came: %+v; health %+v", kind, news, w.seen, w.box.Health(context.Background()))
	return alert.HookAlert{}
}

// soloBox is set up so that it needs no wallet.
func soloBox(t *testing.T, network string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "box")
	err := SetUp(t.Context(), dir, parse(t, fmt.Sprintf(`{"network":%q,"operator":{"password":%q},"wallet":{"passphrase":"a long passphrase","unlock":"ask"},"pool":{"settlement":"solo"}}`, network, goodPassword)))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func stranged(f *nodetest.Node) ExternalNode {
	return ExternalNode{URL: f.URL, CookieFile: f.CookieFile}
}

func alertsOfMining(t *testing.T) {
	t.Parallel()
	f := nodetest.New(t)
	w := watchBox(t, Config{DataDir: soloBox(t, "regtest"), External: stranged(f)})
	w.eventually("work goes out", func() bool { return w.box.Pool().Status().Serving })
	w.look(0)
	w.mine()
	a := w.hear(alert.BlockFound, "raised", 6*time.Minute)
	if len(a.About) == 0 || a.About[0]["worker"] != "rig" || strings.Contains(a.Lines[0], rowAddress) || !strings.Contains(a.Lines[0], "bcrt1qw5…") {
		t.Errorf("block found: %+v", a)
	}
	w.hear(alert.BestShare, "raised", 61*time.Minute)
	w.rest()

	newest := w.newestInChain()
	f.Fork(newest.Prev, 3)
	if a := w.hear(alert.BlockOrphaned, "raised", 6*time.Minute); a.Level != alert.Warning {
		t.Errorf("block orphaned: %+v", a)
	}
	f.Fork(newest.Hash, 5) // it comes back
	f.Mine(101)
	w.hear(alert.BlockMature, "raised", 6*time.Minute)

	f.Handle("submitblock", func(nodetest.Call) (any, error) { return "bad-txns", nil })
	w.mine()
	a = w.hear(alert.BlockRejected, "raised", 6*time.Minute)
	if a.Level != alert.Critical || !strings.Contains(a.Lines[0], "bad-txns") || a.NextStep == "" {
		t.Errorf("block rejected: %+v", a)
	}
}

// newestInChain waits until the node has judged every block, and returns the highest in
// its chain. A miner this quick finds a second one at some heights.
func (w *watched) newestInChain() (newest ledger.Block) {
	w.t.Helper()
	w.eventually("every block is judged, and one is in the chain", func() bool {
		blocks, err := w.box.ledger.Blocks(context.Background(), 100, 0)
		if err != nil || slices.ContainsFunc(blocks, func(b ledger.Block) bool { return b.State == ledger.StateFound }) {
			return false
		}
		newest = ledger.Block{}
		for _, b := range blocks {
			if b.State == ledger.StateAccepted && b.Height > newest.Height {
				newest = b
			}
		}
		return newest.Height > 0
	})
	return newest
}

func alertsOfMiners(t *testing.T) {
	t.Parallel()
	w := watchBox(t, Config{DataDir: soloBox(t, "regtest"), External: stranged(nodetest.New(t))})
	w.mine()
	shares := func() (accepted int64) {
		totals, err := w.box.shares.Totals(context.Background(), "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return totals.Accepted
	}
	w.eventually("there are shares", func() bool { return shares() > 5 })
	w.look(0)
	for range 100 {
		w.box.shares.Reject(rowAddress, "rig", "stale", time.Now())
	}
	if a := w.hear(alert.RejectRate, "raised", 30*time.Second); a.About[0]["worker"] != "rig" {
		t.Errorf("rejected shares: %+v", a)
	}
	if err := w.box.SetMark(t.Context(), Mark{Address: rowAddress, Worker: "rig", Label: "Kitchen"}, "admin", ""); err != nil {
		t.Fatal(err)
	}
	w.rest()
	a := w.hear(alert.WorkerOffline, "raised", 2*time.Minute)
	if a.Title != "Miner offline: Kitchen" || len(a.Lines) != 1 || !strings.Contains(a.Lines[0], "Kitchen (bcrt1qw5…") {
		t.Errorf("miner offline: %+v", a)
	}
	w.hear(alert.HashrateDrop, "raised", 10*time.Minute)
	w.now = time.Now()
	w.mine()
	before := shares()
	w.eventually("there are new shares", func() bool { return shares() > before })
	w.hear(alert.WorkerOffline, "over", time.Minute)
}

func alertsOfNode(t *testing.T) {
	t.Parallel()
	f := nodetest.New(t)
	f.Mine(1)
	w := watchBox(t, Config{DataDir: soloBox(t, "regtest"), External: stranged(f)})
	w.eventually("work goes out", func() bool { return w.box.Pool().Status().Serving })
	w.look(0)
	f.Stop()
	a := w.hear(alert.NodeStalled, "raised", 2*time.Minute)
	if a.Level != alert.Critical || a.NextStep == "" {
		t.Errorf("node stalled: %+v", a)
	}
	f.Start("")
	w.hear(alert.NodeStalled, "over", 2*time.Minute)
	w.stop()

	public := nodetest.New(t)
	genesis := chaincfg.SigNetParams.GenesisHash.String()
	var header bytes.Buffer
	if err := chaincfg.SigNetParams.GenesisBlock.Header.Serialize(&header); err != nil {
		t.Fatal(err)
	}
	chain := map[string]any{
		"chain": "signet", "blocks": 0, "headers": 900, "bestblockhash": genesis, "time": time.Now().Unix(),
		"verificationprogress": 0.01, "initialblockdownload": true, "warnings": []string{},
		"signet_challenge": hex.EncodeToString(chaincfg.DefaultSignetChallenge),
	}
	public.Handle("getblockhash", func(nodetest.Call) (any, error) { return genesis, nil })
	public.Handle("getblockheader", func(nodetest.Call) (any, error) { return hex.EncodeToString(header.Bytes()), nil })
	public.Handle("getblockchaininfo", func(nodetest.Call) (any, error) { return chain, nil })
	public.Handle("getnetworkinfo", func(nodetest.Call) (any, error) {
		return map[string]any{"version": 310000, "subversion": "/Satoshi:31.0.0/", "connections": 0, "timeoffset": 600, "warnings": []string{}}, nil
	})
	public.Handle("getdeploymentinfo", func(nodetest.Call) (any, error) { return map[string]any{"deployments": map[string]any{}}, nil })
	w = watchBox(t, Config{DataDir: soloBox(t, "signet"), External: stranged(public)})
	w.eventually("the node tells where it is", func() bool { return w.box.Node(context.Background()).Asked })
	w.hear(alert.NodeSyncing, "raised", 2*time.Minute)
	if a := w.hear(alert.NodePeers, "raised", 2*time.Minute); a.About[0]["peers"] != "0" {
		t.Errorf("peers: %+v", a)
	}
	if a := w.hear(alert.ClockWrong, "raised", 2*time.Minute); !strings.Contains(a.Lines[0], "10m0s") {
		t.Errorf("clock: %+v", a)
	}
}

func alertsOfBooks(t *testing.T) {
	t.Parallel()
	w := watchBox(t, Config{DataDir: soloBox(t, "regtest"), External: stranged(nodetest.New(t))})
	w.look(0)
	err := w.box.ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		return tx.Post(t.Context(), ledger.Event{Key: "freeze:missing:1:500", Kind: "freeze", Ref: "freeze", Actor: "payout", At: time.Now()}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.hear(alert.LedgerFrozen, "raised", time.Second); !strings.Contains(a.Lines[0], "500 sats less") || !strings.Contains(a.NextStep, "Books and wallet") {
		t.Errorf("frozen: %+v", a)
	}
	if a := w.hear(alert.BackupOld, "raised", 24*time.Hour); !strings.Contains(a.Lines[0], "no backup that is known to restore") {
		t.Errorf("backup: %+v", a)
	}
}

func alertsOfPayouts(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	dir := setUpDir(t)
	w := watchBox(t, Config{DataDir: dir, Bitcoind: binary})
	w.eventually("the box is healthy", func() bool { return w.box.Health(context.Background()).Status == Healthy })
	w.look(0)
	w.mine()
	if a := w.hear(alert.PayoutApprove, "raised", time.Second); !strings.Contains(a.Title, "waits for your approval") {
		t.Errorf("to approve: %+v", a)
	}
	w.approve()
	w.hear(alert.PayoutConfirmed, "raised", time.Second)

	var waiting []payout.Payout
	w.eventually("another payout waits", func() (ok bool) {
		var err error
		if waiting, err = w.box.payouts.List(context.Background(), payout.Pending); err != nil {
			t.Fatal(err)
		}
		return len(waiting) > 0
	})
	if err := os.Remove(dataDir{dir}.passphrase("regtest")); err != nil {
		t.Fatal(err)
	}
	w.box.keys.forget()
	w.approve()
	if a := w.hear(alert.PayoutStuck, "raised", 2*time.Minute); a.Level != alert.Critical || a.About[0]["reason"] == "" {
		t.Errorf("stuck: %+v", a)
	}
}

func alertsOfDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "600m")
	dir := filepath.Join(disk.Dir, "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"pool":{"settlement":"solo"}}`)); err != nil {
		t.Fatal(err)
	}
	w := watchBox(t, Config{DataDir: dir, External: stranged(nodetest.New(t))})
	disk.Fill(100_000_000)
	if a := w.hear(alert.DiskLow, "raised", time.Minute); !strings.Contains(a.Lines[0], "MB left") {
		t.Errorf("disk: %+v", a)
	}
	disk.Clear()
	w.stop()
}

func alertsOfUpgrade(t *testing.T) {
	t.Parallel()
	old := oldRealBooks(t)
	dir := filepath.Dir(old.dir)
	if err := os.WriteFile(filepath.Join(dir, "network"), []byte("practice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watchBox(t, Config{DataDir: dir, External: stranged(nodetest.New(t))})
	a := w.hear(alert.FormatNew, "raised", time.Second)
	if !strings.Contains(a.NextStep, "dmpool rollback") || a.About[0]["ledger"] == "" {
		t.Errorf("new format: %+v", a)
	}
}

// What is sealed of a channel is neither in the audit log nor in the database, and
// cannot be read without the key.
func TestAlertSecretsAreSealed(t *testing.T) {
	a := open(t, soloBox(t, "regtest"))
	const url, key = "https://hooks.example.org/services/T0SECRET", "signing-SECRET"
	id, err := a.SetAlertChannel(t.Context(), alert.Channel{Kind: alert.Webhook, Name: "hook", PerHour: 5}, alert.Secret{URL: url, Token: key}, "admin", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	wantAudit(t, a, "alert.channel", "hook", "ok")
	if err := a.db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{a.db.Path(), a.db.Path() + "-wal"} {
		raw, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "SECRET") {
			t.Errorf("%s has a secret in it", name)
		}
	}
	if err := os.Remove(a.dir.sealKey(a.network)); err != nil {
		t.Fatal(err)
	}
	if problem, err := a.TestAlertChannel(t.Context(), id, "admin", ""); err != nil || !strings.Contains(problem, "type it in again") {
		t.Errorf("without the key: %q, %v", problem, err)
	}
}
