package payout

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
)

// onTheWay takes a new payout as far as the mempool.
func (r realBox) onTheWay() Payout {
	r.t.Helper()
	p := r.draft()
	r.advance()
	r.approve(r.want(p.ID, Pending, ""))
	r.advance()

	return r.want(p.ID, Broadcast, "")
}

// changeOf asks for a change to a payout as it stands.
func changeOf(p Payout, rate string) Change {
	return Change{ID: p.ID, Rev: p.Rev, FeeRate: rate, Actor: "ann", IP: "192.0.2.1"}
}

// must fails the test when a change is refused.
func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// fates lists what has become of the transactions of a payout.
func (b *box) fates(id int64) string {
	b.t.Helper()
	var all []string
	for _, a := range b.get(id).Attempts {
		all = append(all, string(a.Kind)+" "+string(a.Fate))
	}

	return strings.Join(all, ", ")
}

func (b *box) wantFates(id int64, want string) {
	b.t.Helper()
	if got := b.fates(id); got != want {
		b.t.Errorf("attempts: %s, want %s", got, want)
	}
}

// sums are the books on one line.
func (b *box) sums() ledger.Sums {
	b.t.Helper()
	sums, err := b.ledger.Sums(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}

	return sums
}

// TestFault24BumpConfirms replaces a payout twice. The last one confirms and is
// settled once, with its own txid and fee.
func TestFault24BumpConfirms(t *testing.T) {
	r := newRealBox(t)
	first := r.onTheWay()

	err := r.desk.Bump(t.Context(), changeOf(first, "2.6"))
	if text, refused := Sentence(err); !refused || !strings.Contains(text, "Insufficient total fee") {
		t.Errorf("a fee that is too low: %v", err)
	}
	if err := r.desk.Bump(t.Context(), Change{ID: first.ID, Rev: first.Rev - 1, FeeRate: "9", Actor: "ann"}); !errors.Is(err, ErrStale) {
		t.Errorf("an old revision: %v, want ErrStale", err)
	}
	for _, rate := range []string{"5", "9.5"} {
		r.must(r.desk.Bump(t.Context(), changeOf(r.get(first.ID), rate)))
		r.advance()
		r.want(first.ID, Broadcast, "")
	}
	r.wantFates(first.ID, "pay replaced, bump replaced, bump broadcast")

	r.mine(3)
	r.advance()
	p := r.want(first.ID, Settled, "")
	r.wantFates(first.ID, "pay dead, bump dead, bump confirmed")
	if *p.TxID == *first.TxID || p.Fee*1000/p.VSize < 9400 || p.Change != first.Change-(p.Fee-first.Fee) {
		t.Errorf("settled by %v with a fee of %d sats, first sent was %v with %d", p.TxID, p.Fee, first.TxID, first.Fee)
	}
	if sums := r.sums(); sums.TxFee != p.Fee {
		t.Errorf("booked fee %d sats, want %d", sums.TxFee, p.Fee)
	}
	r.checkAgree()
}

// TestFault24FirstConfirms: a block has the payout that was replaced.
func TestFault24FirstConfirms(t *testing.T) {
	r := newRealBox(t)
	first := r.onTheWay()
	r.must(r.desk.Bump(t.Context(), changeOf(first, "9.5")))
	r.advance()
	r.wantFates(first.ID, "pay replaced, bump broadcast")

	r.mineOnly(first.Raw)
	r.mine(2)
	r.advance()
	p := r.want(first.ID, Settled, "")
	r.wantFates(first.ID, "pay confirmed, bump dead")
	if *p.TxID != *first.TxID || r.sums().TxFee != first.Fee {
		t.Errorf("settled by %v, booked fee %d", p.TxID, r.sums().TxFee)
	}
	r.checkAgree()

	// A reorganisation lets the other one win.
	r.invalidate(*p.BlockHash)
	bump := p.Attempts[1]
	r.mineOnly(bump.raw)
	r.mine(4)
	r.advance()
	p = r.want(first.ID, Settled, "")
	r.wantFates(first.ID, "pay dead, bump confirmed")
	if *p.TxID != bump.TxID || r.sums().TxFee != bump.Fee {
		t.Errorf("settled by %v, booked fee %d, want %v and %d", p.TxID, r.sums().TxFee, bump.TxID, bump.Fee)
	}
	r.checkAgree()
}

// TestFault24FeeAboveTheCap: what was approved does not allow the higher fee.
func TestFault24FeeAboveTheCap(t *testing.T) {
	r := newRealBox(t)
	r.policy.FeeCap, r.policy.FeeCapBps = 3000, -1
	p := r.onTheWay()

	err := r.desk.Bump(t.Context(), changeOf(p, "50"))
	if !errors.Is(err, ErrCap) {
		t.Fatalf("a fee over the policy's cap: %v, want ErrCap", err)
	}
	r.policy.FeeCap = p.Fee
	if err := r.desk.Bump(t.Context(), changeOf(p, "3.6")); !errors.Is(err, ErrCap) {
		t.Errorf("a fee that was approved, with a cap lowered since: %v, want ErrCap", err)
	}
	r.policy.FeeCap = 50_000
	r.must(r.desk.Bump(t.Context(), changeOf(p, "50")))
	r.advance()
	asked := r.want(p.ID, Broadcast, "")
	r.wantFates(p.ID, "pay broadcast, bump funded")
	if !asked.Can.Approve || asked.Rev == p.Rev || string(asked.Digest) == string(p.Digest) {
		t.Fatalf("no approval is asked for: %+v", asked)
	}
	r.wantWaiting(p.ID)

	old := approvalOf(p)
	old.Rev = asked.Rev
	if err := r.desk.Approve(t.Context(), old); !errors.Is(err, ErrStale) {
		t.Errorf("the old digest: %v, want ErrStale", err)
	}
	r.approve(asked)
	r.wantWaiting()
	if err := r.desk.Approve(t.Context(), approvalOf(asked)); !errors.Is(err, ErrStale) {
		t.Errorf("a second yes: %v, want ErrStale", err)
	}
	r.advance()
	r.wantFates(p.ID, "pay replaced, bump broadcast")
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// wantWaiting compares which payouts the list says wait for a yes.
func (b *box) wantWaiting(ids ...int64) {
	b.t.Helper()
	all, err := b.desk.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var waiting []int64
	for _, p := range all {
		if p.Waits {
			waiting = append(waiting, p.ID)
		}
	}
	if !slices.Equal(waiting, ids) {
		b.t.Errorf("payouts %v wait for a yes, want %v", waiting, ids)
	}
}

// TestFault27CancelLosesTheRace: the payout confirms although its coins were sent
// back.
func TestFault27CancelLosesTheRace(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.must(r.desk.CancelSent(t.Context(), changeOf(p, "")))
	r.want(p.ID, Cancelling, "")
	r.advance()
	r.wantFates(p.ID, "pay replaced, cancel broadcast")

	r.mineOnly(p.Raw)
	r.advance()
	r.want(p.ID, Confirmed, "")
	r.wantFates(p.ID, "pay confirmed, cancel dead")
	r.mine(2)
	r.advance()
	r.want(p.ID, Settled, "")
	if got := r.sums().TxFee; got != p.Fee {
		t.Errorf("booked fee %d sats, want %d", got, p.Fee)
	}
	r.checkAgree()
}

// TestFault28CancelConfirms releases the money when the cancelling transaction is
// six blocks deep, not earlier. A reorganisation after that takes it back.
func TestFault28CancelConfirms(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.must(r.desk.CancelSent(t.Context(), changeOf(p, "")))
	r.advance()
	r.must(r.desk.CancelSent(t.Context(), changeOf(r.want(p.ID, Cancelling, ""), "20"))) // and again, faster
	r.advance()
	r.wantFates(p.ID, "pay replaced, cancel replaced, cancel broadcast")

	r.mine(5)
	r.advance()
	r.want(p.ID, Cancelling, "")
	if sums := r.sums(); sums.Reserved != p.Total {
		t.Errorf("released after 5 blocks: %+v", sums)
	}
	r.mine(1)
	r.advance()
	over := r.want(p.ID, Cancelled, "")
	cancel := over.Attempts[2]
	if sums := r.sums(); sums.Reserved != 0 || sums.Payable != p.Total || sums.TxFee != cancel.Fee {
		t.Errorf("after six blocks: %+v, want %d payable and a fee of %d", sums, p.Total, cancel.Fee)
	}
	r.checkAgree()

	// The blocks go away: the money is set aside again, until it is decided anew.
	r.invalidate(*cancel.blockHash)
	r.advance()
	r.want(p.ID, Cancelling, "")
	if sums := r.sums(); sums.Reserved != p.Total || sums.Payable != 0 || sums.TxFee != 0 {
		t.Errorf("after the reorganisation: %+v", sums)
	}
	r.mine(7)
	r.advance()
	r.want(p.ID, Cancelled, "")
	r.checkAgree()

	// Of the two that cancelled, the other one is in the chain now.
	r.invalidate(*r.get(p.ID).Attempts[2].blockHash)
	r.mineOnly(over.Attempts[1].raw)
	r.mine(7)
	r.advance()
	r.want(p.ID, Cancelled, "")
	r.wantFates(p.ID, "pay dead, cancel confirmed, cancel dead")
	if got := r.sums().TxFee; got != over.Attempts[1].Fee {
		t.Errorf("booked fee %d sats, want %d", got, over.Attempts[1].Fee)
	}
	r.checkAgree()

	next := r.onTheWay() // the items are payable again
	r.mine(3)
	r.advance()
	r.want(next.ID, Settled, "")
	r.checkAgree()

	r.mine(deep)
	r.advance()
	if leased, err := leases(t.Context(), r.db.Reader()); err != nil || len(leased) != 0 {
		t.Errorf("leases after %d blocks: %v, %v", deep, leased, err)
	}
}

// TestFault28PayoutComesBack: after the money was released, a reorganisation lets
// the payout win after all.
func TestFault28PayoutComesBack(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.must(r.desk.CancelSent(t.Context(), changeOf(p, "")))
	r.advance()
	r.mine(6)
	r.advance()
	cancel := r.want(p.ID, Cancelled, "").Attempts[1]

	r.invalidate(*cancel.blockHash)
	r.mineOnly(p.Raw)
	r.mine(7)
	r.advance()
	r.want(p.ID, Settled, "")
	r.wantFates(p.ID, "pay confirmed, cancel dead")
	r.checkAgree()
}

// TestBumpLapses: a higher fee that nobody approves in time is asked for no longer, and
// the payout goes on as it was.
func TestBumpLapses(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.policy.FeeCap, b.policy.FeeCapBps = 3000, -1
	p := b.sent()
	b.now = b.now.Add(b.desk.policy().Expiry) // longer ago than a plan waits
	b.policy.FeeCap = 50_000
	b.must(b.desk.Bump(t.Context(), changeOf(p, "50")))
	b.now = b.now.Add(b.desk.policy().Expiry - time.Millisecond)
	b.advance()
	asked := b.want(p.ID, Broadcast, "")
	if b.wantFates(p.ID, "pay broadcast, bump funded"); !asked.Waits || !asked.ExpiresAt.Equal(b.now.Add(time.Millisecond)) {
		t.Errorf("waits %v until %v", asked.Waits, asked.ExpiresAt)
	}

	b.now = b.now.Add(time.Millisecond)
	if err := b.desk.Approve(t.Context(), approvalOf(asked)); !errors.Is(err, ErrExpired) {
		t.Errorf("a yes that comes too late: %v, want ErrExpired", err)
	}
	b.advance()
	after := b.want(p.ID, Broadcast, "")
	b.wantFates(p.ID, "pay broadcast, bump dead")
	if after.Waits || !after.Can.Bump || *after.TxID != *p.TxID || after.Fee != p.Fee || string(after.Digest) != string(p.Digest) {
		t.Errorf("after the lapse: %+v", after)
	}
	if err := b.desk.Approve(t.Context(), approvalOf(asked)); !errors.Is(err, ErrStale) {
		t.Errorf("a yes to what has lapsed: %v, want ErrStale", err)
	}
	b.must(b.desk.Bump(t.Context(), changeOf(after, "50"))) // asked for once more
	b.advance()
	b.wantFates(p.ID, "pay broadcast, bump dead, bump funded")
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

// TestLockedWallet: what a person asked for waits until the wallet can sign it.
func TestLockedWallet(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.sent()
	b.pass.err = ErrLocked
	b.reopen()
	b.must(b.desk.Bump(t.Context(), changeOf(p, "9")))
	b.advance()
	b.want(p.ID, Broadcast, "The wallet is locked")
	b.wantFates(p.ID, "pay broadcast, bump funded")

	// A second thought overtakes the first.
	b.must(b.desk.CancelSent(t.Context(), changeOf(b.get(p.ID), "")))
	b.pass.err = nil
	b.reopen()
	b.advance()
	b.wantFates(p.ID, "pay replaced, bump dead, cancel broadcast")
	b.now = b.now.Add(time.Hour)
	b.wallet.mine(6, 0)
	b.advance()
	b.want(p.ID, Cancelled, "")
	b.checkBooks()
}
