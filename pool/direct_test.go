package pool

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// work takes a share of a miner that is no block.
func (b *bench) work(username string) {
	b.t.Helper()
	share := b.solveFor(username)
	share.Proof.Block = false
	commit, err := b.pool.Accepted(b.t.Context(), share)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := commit.Wait(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// servingTip waits for jobs on the node's tip and returns what is served.
func (b *bench) servingTip() *serving {
	b.t.Helper()
	tip := b.tip()
	b.eventually("a job on the tip", func() bool { return b.pool.serving.Load().job.PrevHash == tip })
	return b.pool.serving.Load()
}

// Nobody's answer is waited for while the miners work on the old tip: what pays
// the wallet goes out first, and it is no event. With an opinion from before,
// the first job pays the miners.
func TestNewTipWaitsForNoOpinion(t *testing.T) {
	b := newBench(t)
	b.awaitState(b.mineFor(addressOf(t, 1)+".rig"), ledger.StateAccepted)
	b.settle(b.direct, ledger.SettlementDirect)
	b.work(addressOf(t, 2) + ".rig") // neither numbered nor known to the node
	events, cancel := b.events.Subscribe()
	defer cancel()

	silence := make(chan struct{})
	b.opinion.silence.Store(&silence)
	b.node.Mine(1)
	first := b.servingTip()
	if first.settlement != ledger.SettlementLedger || len(first.job.Layout.Outputs) != 1 {
		t.Errorf("the first job settles by %s and has %d outputs", first.settlement, len(first.job.Layout.Outputs))
	}
	if got := b.pool.planOf(first.job); got.Terms.Settlement != ledger.SettlementLedger {
		t.Errorf("the first job is planned as %s", got.Terms.Settlement)
	}
	close(silence)
	b.eventually("a job pays both", func() bool { return len(b.pool.serving.Load().job.Layout.Outputs) == 2 })
	second := b.pool.serving.Load()
	if second.settlement != ledger.SettlementDirect || second.job.PrevHash != first.job.PrevHash {
		t.Errorf("the second job settles by %s on %s", second.settlement, second.job.PrevHash)
	}

	deaf := make(chan struct{})
	defer close(deaf)
	b.opinion.silence.Store(&deaf)
	b.node.Mine(1)
	if got := b.servingTip(); got.settlement != ledger.SettlementDirect || len(got.job.Layout.Outputs) != 2 {
		t.Errorf("with a known opinion the first job settles by %s", got.settlement)
	}
	cancel()
	for e := range events {
		if e.Kind == "settlement" {
			t.Errorf("event %+v", e)
		}
	}
	if got := b.pool.Status(); got.Fallback != "" || got.FallbackAlarm {
		t.Errorf("fallback %q", got.Fallback)
	}
}

// handshake connects a miner and returns its first job.
func (b *bench) handshake(agent, username string) stratum.Notify {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.pool.Listeners[0].Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, `{"id":1,"method":"mining.subscribe","params":[%q]}`+"\n", agent)
	fmt.Fprintf(conn, `{"id":2,"method":"mining.authorize","params":[%q,"x"]}`+"\n", username)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		m, err := stratum.ParseMessage(lines.Bytes())
		if err != nil || m.Method != "mining.notify" {
			continue
		}
		n, err := stratum.ParseNotify(m.Params)
		if err != nil {
			b.t.Fatal(err)
		}
		return n
	}
	b.t.Fatal("no job")
	return stratum.Notify{}
}

// A connection that says it is a small device gets a job that it can hold. The
// others' coinbase pays as many as before, and a block of the small device is
// credited in the ledger.
func TestSmallDeviceTakesNobodysOutput(t *testing.T) {
	b := newBench(t)
	const miners = 6
	for n := range byte(miners) {
		b.work(addressOf(t, n+1) + ".rig")
	}
	b.settle(b.direct, ledger.SettlementDirect)
	small := b.handshake("NerdMinerV2", addressOf(t, 1)+".nerd")
	b.node.Mine(1)
	large := b.handshake("bitaxe", addressOf(t, 2)+".axe")
	b.eventually("a job of the new tip pays all", func() bool {
		s := b.pool.serving.Load()
		return s.job.PrevHash == b.tip() && len(s.job.Layout.Outputs) == miners
	})
	for n := range byte(miners) {
		_, script, err := ParseAddress(addressOf(t, n+1), "regtest")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(small.Coinbase2, script) {
			t.Errorf("the small device's coinbase pays miner %d", n+1)
		}
		if !bytes.Contains(large.Coinbase2, script) {
			t.Errorf("the large device's coinbase does not pay miner %d", n+1)
		}
	}
	if size := len(small.Coinbase1) + work.ExtranonceSize + len(small.Coinbase2); size > 255 {
		t.Errorf("the small device's coinbase has %d bytes", size)
	}

	worker, err := b.pool.Authorize(t.Context(), addressOf(t, 1)+".nerd")
	if err != nil {
		t.Fatal(err)
	}
	found := solveJob(b.pool.serving.Load().narrow, worker)
	b.finish(found)
	b.awaitState(found.Proof.Hash, ledger.StateAccepted)
	block, err := b.ledger.Block(t.Context(), found.Proof.Hash)
	if err != nil || block.Terms.Settlement != ledger.SettlementLedger || block.Paid != 0 || len(block.Split) != miners {
		t.Errorf("settled by %s to %d miners, paid %d, %v", block.Terms.Settlement, len(block.Split), block.Paid, err)
	}
	if got := b.sums(); got.Immature != subsidy || got.Pending != subsidy {
		t.Errorf("sums %+v", got)
	}
}
