package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// The questions of the last hour are those since the sample before it; a box that is
// younger tells of all.
func TestMonitorLooksBack(t *testing.T) {
	var m monitor
	at := func(minutes int) time.Time { return time.Unix(int64(minutes)*60, 0) }
	if _, ok := m.before(at(0)); ok {
		t.Error("a sample of nothing")
	}
	for _, minute := range []int{10, 20, 30} {
		m.samples = append(m.samples, Sample{At: at(minute), Calls: uint64(minute)})
	}
	for minute, want := range map[int]uint64{9: 0, 10: 10, 29: 20, 30: 30, 90: 30} {
		if s, ok := m.before(at(minute)); s.Calls != want || ok != (want > 0) {
			t.Errorf("before minute %d: %+v, %t", minute, s, ok)
		}
	}
}

// A tip that is old is told of, one of the usual age is not.
func TestTipWarning(t *testing.T) {
	tip := time.Unix(1e9, 0)
	if w, there := tipWarning(tip.Add(tipAgeLimit), tip); there {
		t.Errorf("at the limit: %+v", w)
	}
	w, there := tipWarning(tip.Add(2*time.Hour), tip)
	if !there || !strings.Contains(w.Text, "120 minutes old") || w.Next == "" {
		t.Errorf("%+v, %t", w, there)
	}
}

// What the node refuses to say stays unknown, and what it says of coins is counted.
func TestCountCoins(t *testing.T) {
	f := nodetest.New(t)
	a := &Appliance{network: "regtest", node: node.New(node.Config{URL: f.URL, CookieFile: f.CookieFile, Network: "regtest"})}
	t.Cleanup(a.node.CloseIdle)
	refuse := func(nodetest.Call) (any, error) {
		return nil, &nodetest.Error{Code: node.ErrCodeNoWallet, Message: "no wallet"}
	}
	f.Handle("listunspent", refuse)
	f.Handle("listlockunspent", refuse)
	if c := a.countCoins(t.Context()); c != nil {
		t.Errorf("without a wallet: %+v", c)
	}
	coin := func(safe bool) map[string]any {
		return map[string]any{"txid": strings.Repeat("ab", 32), "vout": 0, "address": "x", "scriptPubKey": "00", "amount": 1, "confirmations": 1, "spendable": true, "safe": safe}
	}
	f.Handle("listunspent", func(nodetest.Call) (any, error) { return []any{coin(true), coin(false), coin(true)}, nil })
	if c := a.countCoins(t.Context()); c != nil {
		t.Errorf("with half of the answers: %+v", c)
	}
	f.Handle("listlockunspent", func(nodetest.Call) (any, error) {
		return []any{map[string]any{"txid": strings.Repeat("ab", 32), "vout": 1}}, nil
	})
	if c := a.countCoins(t.Context()); c == nil || *c != (Coins{Free: 2, Taken: 1}) {
		t.Errorf("%+v", c)
	}
}

// tellsFigures checks what the pages say of a real node while it is mined on.
func (b *runningBox) tellsFigures() {
	b.t.Helper()
	b.eventually("a block was heard of", func() bool { return b.box.Pool().Status().Notice.First != "" })
	if s := b.box.Pool().Status(); s.Notice.Ready <= 0 || s.Notice.Ready > time.Minute || s.Idle {
		b.t.Errorf("notice %+v", s.Notice)
	}
	b.eventually("the node announces its blocks", func() bool { return b.box.Pool().Status().Notice.ZMQ })
	b.box.sounder.take(b.t.Context(), b.box)
	if s := b.box.Sounding(); s.At.IsZero() || s.Mempool == nil || s.Coins == nil || s.Coins.Free+s.Coins.Taken == 0 || s.DiskLasts != nil {
		b.t.Errorf("sounding %+v", s)
	}
	n := b.box.Node(b.t.Context())
	if n.Chain != "regtest" || n.OnDisk <= 0 || n.DiskFree == nil || *n.DiskTotal <= *n.DiskFree || n.TipLimit != 0 || n.PeersIn != 0 {
		b.t.Errorf("node %+v", n)
	}
	if v := b.box.TryNode(b.t.Context()); v.Problem != "" || v.Answer <= 0 || v.Template <= 0 {
		b.t.Errorf("trial %+v", v)
	}
	now := time.Now()
	if r := b.box.RPC(now); r.Calls == 0 || r.Calls != r.Timing.Calls || r.Failed > r.Calls || r.Span <= 0 {
		b.t.Errorf("questions %+v", r)
	}
}
