package payout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/ledger"
)

// coldNumber makes the script of the cold address.
const coldNumber = 77

// coldly has a box draft sweeps instead of payouts.
func (b *box) coldly() {
	b.sweeps = true
	b.policy.Cold, b.policy.ColdScript = addressOf(b.t, script(coldNumber)), script(coldNumber)
}

// fullFee is what the pool took of the blocks of a full ledger, and heldBack what a
// sweep of all of it leaves for network fees.
const (
	fullFee  = blocks * reward / 100
	heldBack = fullFee * 5 / 100
)

func TestSweepable(t *testing.T) {
	// 400 are in the wallet, 300 of that are the miners'; thousands of satoshis.
	books := ledger.Sums{Spendable: 400_000, Payable: 250_000, Reserved: 50_000, Fee: 90_000, Donation: 10_000}
	small := Policy{MinPayout: 1000, FeeCap: 100, FeeCapBps: 500}
	with := func(p Policy, change func(*Policy)) Policy { change(&p); return p }
	for name, v := range map[string]struct {
		books       ledger.Sums
		policy      Policy
		fees, spent int64
		want        Sweepable
	}{
		"without a limit nothing is beyond it":         {books, small, 0, 0, Sweepable{All: 95_000}},
		"beyond the limit, less what is reserved":      {books, with(small, func(p *Policy) { p.WalletLimit = 320_000 }), 0, 0, Sweepable{Over: 30_000, All: 95_000}},
		"more beyond the limit than is its own":        {books, with(small, func(p *Policy) { p.WalletLimit = 1000 }), 0, 0, Sweepable{Over: 95_000, All: 95_000}},
		"the fees of payouts under way stay":           {books, small, 20_000, 0, Sweepable{All: 76_000}},
		"fees that take all of it":                     {books, small, 100_001, 0, Sweepable{}},
		"the highest fee stays where a part is little": {books, with(small, func(p *Policy) { p.FeeCap = 40_000 }), 0, 0, Sweepable{All: 60_000}},
		"one payout at most":                           {books, with(small, func(p *Policy) { p.MaxPayout = 7000 }), 0, 0, Sweepable{All: 7000}},
		"within 24 hours":                              {books, with(small, func(p *Policy) { p.Max24h = 50_000 }), 0, 45_000, Sweepable{All: 5000}},
		"too little to be worth a payout":              {books, with(small, func(p *Policy) { p.MinPayout = 95_001 }), 0, 0, Sweepable{}},
		"what a miner owes the pool is not there":      {ledger.Sums{Spendable: 300_000, Payable: 210_000, Debt: 40_000, Fee: 90_000}, small, 0, 0, Sweepable{All: 47_500}},
		"immature income is not there":                 {ledger.Sums{Immature: 99_000, Pending: 9000, Fee: 90_000}, small, 0, 0, Sweepable{}},
		"what is set aside for a sweep is not":         {ledger.Sums{Spendable: 300_000, Payable: 200_000, Sweep: 90_000, Fee: 10_000}, small, 0, 0, Sweepable{All: 9500}},
		"the miners could not all be paid":             {ledger.Sums{Spendable: 100_000, Payable: 100_001, Fee: 10_000, TxFee: 10_001}, small, 0, 0, Sweepable{}},
	} {
		t.Run(name, func(t *testing.T) {
			v.policy.ColdScript = script(coldNumber)
			if got := v.policy.orDefaults().sweepable(v.books, v.fees, v.spent); got != v.want {
				t.Errorf("sweepable %+v, want %+v", got, v.want)
			}
		})
	}
}

// TestSweep follows a sweep from the draft to its end, by what the books say.
func TestSweep(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.coldly()
	b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = reward, reward
	b.policy.MinPayout = heldBack
	p := b.draft()
	if p.Purpose != PurposeSweep || p.Total != fullFee-heldBack || p.Recipients != 1 || p.Items[0].Account != ledger.PoolSweep {
		t.Fatalf("draft = %+v", p)
	}
	if again, err := b.desk.Sweep(t.Context(), SweepRequest{DraftRequest: DraftRequest{Actor: "ann", IdemKey: "request 1"}}); err != nil || again.ID != p.ID {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	_, err := b.request(DraftRequest{Actor: "ann", IdemKey: "second"})
	if text, refused := Sentence(err); !refused || !strings.Contains(text, "already moves") {
		t.Errorf("a second sweep: %v", err)
	}
	owed := earned(1) + earned(2) + earned(3)
	if got := b.sums(); got != (ledger.Sums{Spendable: blocks * reward, Payable: owed, Fee: heldBack, Sweep: p.Total}) {
		t.Errorf("drafted: %+v", got)
	}
	if can, err := b.desk.Sweepable(t.Context()); can != (Sweepable{}) || err != nil {
		t.Errorf("next to a sweep %+v, %v can be moved", can, err)
	}

	b.advance()
	p = b.want(p.ID, Pending, "")
	if approved, err := b.desk.ApproveByRule(t.Context()); len(approved) != 0 || err != nil {
		t.Errorf("approved by rule: %+v, %v", approved, err)
	}
	if err := b.tryExec(`INSERT INTO approval (payout, rev, digest, user, method, ip, at) VALUES (?, ?, ?, 'rule', 'rule', '', 0)`, p.ID, p.Rev, p.Digest); err == nil {
		t.Error("the ledger takes an approval by rule")
	}
	b.approve(p)
	b.advance()
	p = b.want(p.ID, Broadcast, "")
	b.wallet.mine(3, 0)
	b.advance()
	p = b.want(p.ID, Settled, "")
	b.checkSwept(p)
	want := ledger.Sums{Spendable: blocks*reward - p.Total - p.Fee, Payable: owed, Fee: heldBack, TxFee: p.Fee}
	if got := b.sums(); got != want || got.Own() != heldBack-p.Fee {
		t.Errorf("settled: %+v, want %+v", got, want)
	}
	b.checkBooks()
	if _, err := b.request(DraftRequest{Actor: "ann", IdemKey: "third"}); !errors.Is(err, ErrNothingOwn) {
		t.Errorf("what was held back: %v, want ErrNothingOwn", err)
	}

	b.sweeps = false // the miners are paid as if nothing had been
	b.settled()
	b.checkPaid()
}

// checkSwept makes sure that what a sweep says is what its address has, once, and
// that no miner's money went with it.
func (b *box) checkSwept(p Payout) {
	b.t.Helper()
	sums := b.sums()
	if sums.Sweep != 0 || sums.Shortfall() != 0 || sums.Own() < 0 || p.Items[0].Address != b.policy.Cold {
		b.t.Errorf("swept to %s: %+v", p.Items[0].Address, sums)
	}
	if b.wallet != nil {
		if got := b.wallet.paidTo(script(coldNumber)); got != p.Total {
			b.t.Errorf("the cold address has %d sats, want %d", got, p.Total)
		}
	}
}

// TestSweepRefused: what is to be moved, and where to, is looked at again when it
// is approved and when it is signed.
func TestSweepRefused(t *testing.T) {
	full := fullLedger(t)
	elsewhere := func(b *box) { b.policy.Cold, b.policy.ColdScript = addressOf(b.t, script(9)), script(9) }
	for name, change := range map[string]func(*box){
		"another address": elsewhere,
		"no address":      func(b *box) { b.policy.Cold, b.policy.ColdScript = "", nil },
		"another script":  func(b *box) { b.policy.ColdScript = script(9) },
		"income lost":     func(b *box) { b.observe(chainhash.HashH(fmt.Append(nil, 1)), -1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			b.coldly()
			p := b.draft()
			b.advance()
			p = b.want(p.ID, Pending, "")
			change(b)
			if err := b.desk.Approve(t.Context(), approvalOf(p)); !errors.Is(err, ErrSweep) {
				t.Errorf("Approve = %v, want ErrSweep", err)
			}
			b.must(b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}))

			b = newBox(t, full)
			b.coldly()
			p = b.draft()
			b.advance()
			b.approve(b.want(p.ID, Pending, ""))
			change(b)
			b.advance()
			p = b.want(p.ID, Approved, "Approved, but not signed: this cannot go to the cold address")
			b.must(b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}))
			if sums := b.sums(); sums.Sweep != 0 || b.wallet.sent != 0 {
				t.Errorf("cancelled: %+v, %d sent", sums, b.wallet.sent)
			}
		})
	}
	t.Run("the wallet itself", func(t *testing.T) {
		b := newBox(t, full)
		b.coldly()
		own, err := b.wallet.ChangeAddress(t.Context())
		b.must(err)
		info, err := b.wallet.AddressInfo(t.Context(), own)
		b.must(err)
		b.policy.Cold, b.policy.ColdScript = own, info.Script
		p := b.draft()
		b.advance()
		b.want(p.ID, Draft, "belongs to the pool's own wallet")
	})
	t.Run("without an address", func(t *testing.T) {
		b := newBox(t, full)
		b.sweeps = true
		_, err := b.request(DraftRequest{Actor: "ann", IdemKey: "x"})
		if text, refused := Sentence(err); !refused || !strings.Contains(text, "no cold address") {
			t.Errorf("Sweep = %v", err)
		}
	})
	t.Run("a miner's money", func(t *testing.T) { // the second lock
		b := newBox(t, full)
		b.coldly()
		p := b.draft()
		err := b.tryExec(`INSERT INTO payout_item (payout, account, script, address, amount, live) VALUES (?, 101, x'00', 'x', 1, 0)`, p.ID)
		if err == nil || !strings.Contains(err.Error(), "nothing else") {
			t.Errorf("a miner in a sweep: %v", err)
		}
		if b.tryExec(`UPDATE payout SET purpose = 'miners' WHERE id = ?`, p.ID) == nil {
			t.Error("the purpose can be changed")
		}
	})
}

// TestSweepFaultAtEveryCall lets a fault happen at every call to the node, as
// TestFaultAtEveryCall does.
func TestSweepFaultAtEveryCall(t *testing.T) {
	full := fullLedger(t)
	for _, f := range []fault{lostReply, crashBefore, crashAfter, killAfter} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				b := newBox(t, full)
				b.coldly()
				b.wallet.fault, b.wallet.faultAt = f, k
				b.persist()
				b.checkSwept(b.get(1))
				b.checkBooks()
				if t.Failed() {
					t.Fatalf("%v at call %d, %v", f, k, b.wallet.log[k-1])
				}
				b.must(b.db.Close())
				if b.wallet.calls < k {
					if k < 20 {
						t.Errorf("only %d calls were made", k)
					}

					return
				}
			}
		})
	}
}

// TestSweepsAndPayouts lets sweeps and payouts come in any order, with blocks,
// reorganisations and people who change their minds between. At each step the books
// balance and the miners' money is there (I9 to I12); in the end they have all of it
// and the cold address has what the books say, to the satoshi.
func TestSweepsAndPayouts(t *testing.T) {
	full := fullLedger(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := newBox(t, full)
		defer b.db.Close()
		b.coldly()
		b.policy.WalletLimit = rapid.Int64Range(0, blocks*reward).Draw(rt, "limit")
		b.policy.MaxItems = rapid.IntRange(1, miners).Draw(rt, "items")
		ctx := context.Background()
		some := func() (Payout, bool) {
			all, err := b.desk.List(ctx)
			if err != nil || len(all) == 0 {
				return Payout{}, false
			}

			return b.get(rapid.SampledFrom(all).Draw(rt, "payout").ID), true
		}
		for n := range rapid.IntRange(5, 15).Draw(rt, "steps") {
			request := DraftRequest{Actor: "ann", IdemKey: fmt.Sprint("step ", n)}
			var err error
			switch rapid.SampledFrom([]string{"sweep", "sweep all", "pay", "approve", "approve", "cancel", "bump", "mine", "mine", "reorg"}).Draw(rt, "step") {
			case "sweep":
				_, err = b.desk.Sweep(ctx, SweepRequest{DraftRequest: request})
			case "sweep all":
				_, err = b.desk.Sweep(ctx, SweepRequest{DraftRequest: request, All: true})
			case "pay":
				_, err = b.desk.Draft(ctx, request)
			case "approve":
				if p, ok := some(); ok && p.Can.Approve {
					err = b.desk.Approve(ctx, approvalOf(p))
				}
			case "cancel":
				if p, ok := some(); ok && p.Can.Cancel {
					err = b.desk.Cancel(ctx, Change{ID: p.ID, Rev: p.Rev, Actor: "ann"})
				}
			case "bump":
				if p, ok := some(); ok && p.Can.Bump {
					err = b.desk.Bump(ctx, changeOf(p, "9"))
				}
			case "mine":
				b.wallet.mine(rapid.IntRange(1, 4).Draw(rt, "blocks"), 0)
			case "reorg":
				b.wallet.reorg(rapid.Int32Range(1, 3).Draw(rt, "depth"), rapid.Bool().Draw(rt, "forget"))
			}
			if _, refused := Sentence(err); err != nil && !refused && !errors.Is(err, ErrNothingDue) && !errors.Is(err, ErrNothingOwn) && !errors.Is(err, ErrSweep) {
				rt.Fatal(err)
			}
			b.advance()
			if sums := b.sums(); sums.Shortfall() != 0 || sums.Own() < 0 {
				rt.Fatalf("the miners' money is not there: %+v", sums)
			}
			if err := b.ledger.Check(ctx); err != nil {
				rt.Fatal(err)
			}
			if reason, frozen := b.desk.Frozen(ctx); frozen {
				rt.Fatal(reason)
			}
		}

		for n := 0; ; n++ { // until all is paid
			all, err := b.desk.List(ctx, Draft, Pending, Approved, Signed, Broadcast, Confirmed)
			b.must(err)
			if len(all) == 0 && b.sums().Payable == 0 {
				break
			}
			if n == 30 {
				rt.Fatalf("payouts that do not end: %+v", all)
			}
			for _, p := range all {
				if p = b.get(p.ID); p.Can.Approve {
					b.must(b.desk.Approve(ctx, approvalOf(p)))
				}
			}
			if _, err := b.desk.Draft(ctx, DraftRequest{Actor: "ann", IdemKey: fmt.Sprint("end ", n)}); err != nil && !errors.Is(err, ErrNothingDue) {
				rt.Fatal(err)
			}
			b.advance()
			b.wallet.mine(3, 0)
			b.advance()
		}
		var swept int64
		all, err := b.desk.List(ctx, Settled)
		b.must(err)
		for _, p := range all {
			if p.Purpose == PurposeSweep {
				swept += p.Total
			}
		}
		if got := b.wallet.paidTo(script(coldNumber)); got != swept {
			rt.Errorf("the cold address has %d sats, %d are settled", got, swept)
		}
		for n := int64(1); n <= miners; n++ {
			if got := b.wallet.paidTo(script(n)); got != earned(n) {
				rt.Errorf("miner %d got %d sats, want %d", n, got, earned(n))
			}
		}
		// Rewards that nobody booked, which matured meanwhile, are nobody's to move.
		if sums := b.sums(); sums.Reserved+sums.Sweep != 0 || (b.wallet.balance()-sums.Spendable)%(7*reward) != 0 {
			rt.Errorf("ledger says %+v, the wallet has %d sats", sums, b.wallet.balance())
		}
	})
}

// TestSetAside: what is set aside is what was asked for, comes from income alone and
// leaves no account of it overdrawn, whatever the books are.
func TestSetAside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1_000_000)
		s := ledger.Sums{
			Pending: amount.Draw(t, "pending"), Payable: amount.Draw(t, "payable"), Reserved: amount.Draw(t, "reserved"),
			Debt: amount.Draw(t, "debt"), Sweep: amount.Draw(t, "sweep"), TxFee: amount.Draw(t, "txfee"),
			Fee: rapid.Int64Range(-1_000_000, 3_000_000).Draw(t, "fee"), Donation: amount.Draw(t, "donation"),
			Reserve: rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, "reserve"), Immature: amount.Draw(t, "immature"),
		}
		// The book as a whole adds up to zero.
		s.Spendable = s.Pending + s.Payable + s.Reserved + s.Sweep + s.Fee + s.Donation + s.Reserve - s.TxFee - s.Immature
		want := rapid.Int64Range(-1, 3_000_000).Draw(t, "amount")
		if own := s.Own(); own > s.Spendable+s.Immature-s.Owed()-s.Sweep {
			t.Fatalf("own %d of %+v", own, s)
		}
		postings, err := s.SetAside(want)
		if (err == nil) != (want > 0 && want <= s.Own()) {
			t.Fatalf("SetAside(%d) of %d: %v", want, s.Own(), err)
		}
		if err != nil {
			return
		}
		var sum int64
		after := map[int64]int64{ledger.PoolFee: s.Fee, ledger.PoolReserve: s.Reserve, ledger.PoolDonation: s.Donation, ledger.PoolSweep: s.Sweep}
		before := map[int64]int64{}
		for account, has := range after {
			before[account] = has
		}
		for _, p := range postings {
			sum += p.Amount
			after[p.Account] -= p.Amount
		}
		if sum != 0 || after[ledger.PoolSweep] != s.Sweep+want || len(after) != 4 {
			t.Fatalf("postings %+v", postings)
		}
		for account, has := range after {
			if has < min(0, before[account]) {
				t.Fatalf("account %d had %d and has %d: %s", account, before[account], has, cmp.Diff(before, after))
			}
		}
	})
}
