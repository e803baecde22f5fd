package pool

import (
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// TestFault41RejectedBlock: the block stays on disk, somebody is told, and no job
// has that coinbase again.
func TestFault41RejectedBlock(t *testing.T) {
	b := newBench(t)
	alice := addressOf(t, 1) + ".rig"
	b.awaitState(b.mineFor(alice), ledger.StateAccepted)
	b.settle(b.direct, ledger.SettlementDirect)
	events, cancel := b.events.Subscribe()
	defer cancel()
	b.node.Handle("submitblock", func(nodetest.Call) (any, error) { return "bad-blk-weight", nil })
	share := b.solveFor(alice)
	b.finish(share)
	b.eventually("the block is rejected", func() bool {
		block, err := b.ledger.Block(t.Context(), share.Proof.Hash)
		return err == nil && block.State == ledger.StateRejected
	})
	for e := range events {
		if e.Kind == "block-state" && e.Hash == share.Proof.Hash.String() {
			if e.State != string(ledger.StateRejected) || e.Text != "bad-blk-weight" {
				t.Errorf("event %+v", e)
			}
			break
		}
	}
	block, err := b.ledger.Block(t.Context(), share.Proof.Hash)
	if err != nil || len(block.Raw) == 0 || block.SubmitResult != "bad-blk-weight" {
		t.Errorf("raw block of %d bytes, %q, %v", len(block.Raw), block.SubmitResult, err)
	}
	before := b.sums()

	b.node.Handle("submitblock", nil)
	b.settlement = ledger.SettlementLedger
	b.node.Mine(1) // another tip is no other chance
	hash := b.mineFor(alice)
	b.awaitState(hash, ledger.StateAccepted)
	status := b.pool.Status()
	if !status.FallbackAlarm || !strings.Contains(status.Fallback, "bad-blk-weight") {
		t.Errorf("fallback %q", status.Fallback)
	}
	if got := b.sums(); got.Owed() != before.Owed()+subsidy {
		t.Errorf("sums %+v, before %+v", got, before)
	}
}
