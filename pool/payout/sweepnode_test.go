package payout

import (
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

// ownOfReal is what the pool took of the ten blocks of a real box.
const ownOfReal = 10 * 50e8 / 100

// TestSweepOnBitcoind moves the fees of ten blocks to a cold address: sent with a
// fee that is too low, replaced, in a block that is orphaned, in another one, and
// booked. Then the miners are paid.
func TestSweepOnBitcoind(t *testing.T) {
	r := newRealBox(t)
	r.coldly()
	first := r.onTheWay()
	if first.Total != ownOfReal-ownOfReal*5/100 {
		t.Errorf("%d sats are on their way", first.Total)
	}
	r.must(r.desk.Bump(t.Context(), changeOf(first, "9.5")))
	r.advance()
	r.wantFates(first.ID, "pay replaced, bump broadcast")
	r.mine(3)
	r.advance()
	p := r.want(first.ID, Settled, "")
	r.checkAgree()
	r.checkSwept(p)

	r.invalidate(*p.BlockHash)
	r.advance()
	r.want(p.ID, Broadcast, "")
	if sums := r.sums(); sums.Sweep != p.Total || sums.TxFee != 0 || sums.Shortfall() != 0 {
		t.Errorf("with its block orphaned: %+v", sums)
	}
	r.must(r.ledger.Check(t.Context()))
	r.mine(5)
	r.advance()
	after := r.want(p.ID, Settled, "")
	if *after.BlockHash == *p.BlockHash || *after.TxID != *p.TxID {
		t.Errorf("settled again by %v in %v", after.TxID, after.BlockHash)
	}
	r.checkAgree()
	r.checkSwept(after)
	if got := r.node.received(r.policy.Cold); got != p.Total {
		t.Errorf("the cold address has %d sats, want %d", got, p.Total)
	}
	if sums := r.sums(); sums.Fee != ownOfReal-p.Total || sums.TxFee != after.Fee {
		t.Errorf("settled: %+v", sums)
	}

	r.sweeps = false
	paid := r.onTheWay()
	r.mine(3)
	r.advance()
	r.want(paid.ID, Settled, "")
	r.checkAgree()
	if _, frozen := r.desk.Frozen(t.Context()); frozen {
		t.Error("payouts are frozen")
	}
}

// TestSweepCancelledOnBitcoind: a sweep that was sent comes back to the wallet, and
// its money is the pool's own again, less the fee of that.
func TestSweepCancelledOnBitcoind(t *testing.T) {
	r := newRealBox(t)
	r.coldly()
	p := r.onTheWay()
	r.must(r.desk.CancelSent(t.Context(), changeOf(p, "9")))
	r.advance()
	r.mine(6)
	r.advance()
	p = r.want(p.ID, Cancelled, "")
	if sums := r.sums(); sums.Sweep != 0 || sums.Fee != ownOfReal || sums.TxFee != p.confirmedCancel().Fee || sums.Own() != ownOfReal-sums.TxFee {
		t.Errorf("cancelled: %+v", sums)
	}
	r.checkWallet()
}

// TestSweepOfOrphanedRewards: the blocks are gone in which all was earned. The sweep
// is dead, and once a person says so, the books are those of a pool without a block.
func TestSweepOfOrphanedRewards(t *testing.T) {
	r := newRealBox(t)
	r.coldly()
	p, dead := r.rewardsGone()
	r.must(r.desk.GiveUpDead(t.Context(), changeOf(dead, "")))
	r.advance()
	r.want(p.ID, Failed, "")
	if sums := r.sums(); sums != (ledger.Sums{}) {
		t.Errorf("the books of a pool without a block: %+v", sums)
	}
	r.must(r.ledger.Check(t.Context()))
}
