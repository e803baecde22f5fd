package pool

import (
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
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
