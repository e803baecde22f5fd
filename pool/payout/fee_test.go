package payout

import (
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"
)

// TestMinersBearTheFee: what arrives and the shares of the fee are what was
// taken from the accounts, and the pool pays nothing.
func TestMinersBearTheFee(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.policy.FeePolicy = FeeMiners
	p := b.draft()
	b.advance()
	p = b.want(p.ID, Pending, "")
	if p.FeePolicy != FeeMiners || shares(p.Items) != p.Fee || p.Total != earned(1)+earned(2)+earned(3) {
		t.Errorf("planned %+v: the miners bear %d sats of %d", p, shares(p.Items), p.Fee)
	}
	b.policy.FeePolicy = FeePool // for the next payout
	b.approve(p)
	b.advance()
	b.wallet.mine(3, 0)
	b.advance()
	p = b.want(p.ID, Settled, "")

	for _, i := range p.Items {
		if got := b.wallet.paidTo(i.Script); got != i.Net() || i.Amount != earned(int64(i.Script[2])) || i.FeeShare < p.Fee/miners {
			t.Errorf("%s got %d sats of %+v", i.Address, got, i)
		}
	}
	sums, err := b.ledger.Sums(t.Context())
	if err != nil || sums.TxFee != 0 || sums.Shortfall() != 0 || sums.Reserved != 0 || sums.Spendable != b.wallet.balance() {
		t.Errorf("ledger says %+v, %v, the wallet has %d sats", sums, err, b.wallet.balance())
	}
	b.checkBooks()

	paid, err := b.desk.PaidTo(t.Context(), p.Items[0].Address, 1)
	if err != nil || len(paid) != 1 || paid[0].FeeShare != p.Items[0].FeeShare {
		t.Errorf("PaidTo = %+v, %v", paid, err)
	}
}

// TestFeeShareIsApproved: who bears how much is part of what is approved.
func TestFeeShareIsApproved(t *testing.T) {
	plan := Plan{FeePolicy: FeeMiners, Items: []Item{{Script: script(1), Amount: 1000, FeeShare: 10}}}
	other := plan
	other.Items = []Item{{Script: script(1), Amount: 1000, FeeShare: 11}}
	pool := plan
	pool.FeePolicy = FeePool
	if plan.Digest() == other.Digest() || plan.Digest() == pool.Digest() {
		t.Error("another share of the fee has the same digest")
	}

	b := newBox(t, fullLedger(t))
	b.policy.FeePolicy = FeeMiners
	p := b.draft()
	b.advance()
	b.want(p.ID, Pending, "")
	b.exec(`UPDATE payout_item SET fee_share = fee_share + 1 WHERE payout = ?`, p.ID)
	p = b.get(p.ID)
	if err := b.desk.Approve(t.Context(), approvalOf(p)); err == nil {
		t.Error("a plan whose shares were changed is approved")
	}
}

// TestFeeIsSharedAlike: what the wallet proposes is accepted only if everybody
// bears the same, nobody gets more than is owed and nobody gets dust.
func TestFeeIsSharedAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "outputs")
		fee := rapid.Int64Range(0, 50_000).Draw(t, "fee")
		first := rapid.IntRange(0, n-1).Draw(t, "who bears the rest")
		tx := wire.NewMsgTx(2)
		var items []Item
		for i := range n {
			item := Item{Account: int64(i), Script: script(int64(i)), Amount: rapid.Int64Range(1000, 1e6).Draw(t, "amount")}
			net := item.Amount - fee/int64(n)
			if i == first {
				net -= fee % int64(n)
			}
			items = append(items, item)
			tx.AddTxOut(wire.NewTxOut(net, item.Script))
		}
		slices.Reverse(tx.TxOut)

		shared, err := FeeMiners.share(tx, items)
		dust := slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return out.Value < dustLimit(out.PkScript) })
		if dust != (err != nil) {
			t.Fatalf("share: %v, dust %v", err, dust)
		}
		if err == nil && shares(shared) != fee {
			t.Fatalf("the items bear %d sats of %d", shares(shared), fee)
		}
	})

	items := []Item{{Script: script(1), Amount: 5000}, {Script: script(2), Amount: 5000}}
	for want, nets := range map[string][2]int64{
		"which is owed 5000":  {5001, 4000},
		"not shared alike":    {4990, 4980},
		"which is dust":       {4800, 0},
		"miner 2 was dropped": {4800, -1},
	} {
		tx := wire.NewMsgTx(2)
		for i, net := range nets {
			if net >= 0 {
				tx.AddTxOut(wire.NewTxOut(net, items[i].Script))
			}
		}
		if want == "miner 2 was dropped" {
			want = "would get 0 sats"
		}
		if _, err := FeeMiners.share(tx, items); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("outputs %v: %v, want %q", nets, err, want)
		}
	}
}

// TestBitcoindMinersBearTheFee takes such a payout through a real wallet.
func TestBitcoindMinersBearTheFee(t *testing.T) {
	r := newRealBox(t)
	r.policy.FeePolicy = FeeMiners
	p := r.draft()
	r.advance()
	p = r.want(p.ID, Pending, "")
	r.approve(p)
	r.advance()
	r.mine(3)
	r.advance()
	p = r.want(p.ID, Settled, "")
	if shares(p.Items) != p.Fee || p.Fee == 0 {
		t.Errorf("the miners bear %d sats of %d", shares(p.Items), p.Fee)
	}
	for _, i := range p.Items {
		if got := r.node.received(i.Address); got != i.Net() {
			t.Errorf("%s got %d sats of %+v", i.Address, got, i)
		}
	}
	sums, err := r.ledger.Sums(t.Context())
	wallet, balanceErr := r.node.Balances(t.Context())
	if err != nil || balanceErr != nil || sums.TxFee != 0 || sums.Spendable != int64(wallet.Trusted) {
		t.Errorf("ledger %+v, %v; wallet %+v, %v", sums, err, wallet, balanceErr)
	}
}
