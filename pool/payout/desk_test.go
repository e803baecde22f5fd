package payout

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/node"
)

func TestPayout(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	if p.State != Draft || p.Recipients != miners || p.Total != earned(1)+earned(2)+earned(3) || p.CreatedBy != "ann" || p.Note != "test" {
		t.Errorf("draft = %+v", p)
	}
	b.advance()

	p = b.want(p.ID, Pending, "")
	b.wantWaiting(p.ID)
	b.wantOrigins(p)
	estimate := p.EstimatedVSize()
	if p.Fee <= 0 || p.Fee > p.FeeCap || p.Change <= 0 || len(p.Inputs) != blocks || p.TxID == nil || len(p.Digest) != 32 {
		t.Errorf("pending = %+v", p)
	}
	if p.ExpiresAt.Sub(b.now) != 24*time.Hour {
		t.Errorf("expires after %v", p.ExpiresAt.Sub(b.now))
	}
	b.approve(p)
	if b.wallet.sent != 0 {
		t.Error("an approval alone sends money")
	}
	b.advance()
	txid := *p.TxID

	p = b.want(p.ID, Broadcast, "")
	if *p.TxID != txid || p.VSize == 0 || len(p.Raw) == 0 {
		t.Errorf("broadcast = %+v, want transaction %v", p, txid)
	}
	// A signature is 70 to 72 bytes, a quarter of a vbyte each.
	if off := estimate - p.VSize; off < -int64(len(p.Inputs)) || off > int64(len(p.Inputs)) || p.EstimatedVSize() != p.VSize {
		t.Errorf("estimated %d vbytes, it has %d", estimate, p.VSize)
	}
	b.wallet.mine(1, 0)
	b.advance()
	p = b.want(p.ID, Confirmed, "")
	if p.Confirmations != 1 || p.Height != b.wallet.height {
		t.Errorf("confirmed = %+v", p)
	}
	b.wallet.mine(2, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()

	paid, err := b.desk.PaidTo(t.Context(), addressOf(t, script(3)), 10)
	if err != nil || len(paid) != 1 || paid[0].Amount != earned(3) || *paid[0].TxID != txid || paid[0].Confirmations != 3 {
		t.Errorf("PaidTo = %+v, %v", paid, err)
	}
	b.checkOutputs(p, paid)
	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "again"}); !errors.Is(err, ErrNothingDue) {
		t.Errorf("draft of nothing: %v, want ErrNothingDue", err)
	}

	var states []State
	for _, e := range b.events {
		states = append(states, e.State)
	}
	if got, want := fmt.Sprint(states), "[draft pending approved signed broadcast confirmed settled]"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}

	b.wallet.mine(deep, 0)
	b.advance()
	b.checkBooks()
	if leased, err := leases(t.Context(), b.db.Reader()); err != nil || len(leased) != 0 {
		t.Errorf("leases of a payout %d blocks deep: %v, %v", deep, leased, err)
	}
}

// wantOrigins makes sure that every amount is explained to the satoshi.
func (b *box) wantOrigins(p Payout) {
	b.t.Helper()
	origins, err := b.desk.Origins(b.t.Context(), p.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	sums := map[int64]int64{}
	for _, o := range origins {
		sums[o.Account] += o.Amount
	}
	for _, i := range p.Items {
		if sums[i.Account] != i.Amount {
			b.t.Errorf("account %d is paid %d sats, of which %d are explained: %+v", i.Account, i.Amount, sums[i.Account], origins)
		}
	}
}

func TestFault01DraftTwice(t *testing.T) {
	b := newBox(t, fullLedger(t))
	request := DraftRequest{Actor: "ann", IdemKey: "one click"}

	var wg sync.WaitGroup
	ids := make([]int64, 20)
	for i := range ids {
		wg.Go(func() {
			p, err := b.desk.Draft(t.Context(), request)
			if err != nil {
				t.Error(err)
			}
			ids[i] = p.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("payouts %v for one request", ids)
		}
	}

	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "other"}); !errors.Is(err, ErrNothingDue) {
		t.Errorf("a second payout of the same money: %v, want ErrNothingDue", err)
	}

	owed, err := b.desk.Owed(t.Context())
	if err != nil || len(owed) != miners || owed[0].Reserved != earned(3) || owed[0].Payable != 0 {
		t.Errorf("Owed = %+v, %v", owed, err)
	}
	earn(t, b.ledger, 50, reward)
	owed, err = b.desk.Owed(t.Context())
	if err != nil || owed[0].Payable == 0 || !strings.Contains(owed[0].Reason, fmt.Sprintf("Payout %d", ids[0])) {
		t.Errorf("Owed = %+v, %v", owed, err)
	}
}

func TestFault01FiftyApprovals(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	p = b.get(p.ID)

	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() { errs[i] = b.desk.Approve(t.Context(), approvalOf(p)) })
	}
	wg.Wait()

	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrStale):
			t.Errorf("a late click: %v, want ErrStale", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 50 clicks won, want 1", won)
	}

	for range 10 {
		wg.Go(func() {
			if err := b.desk.Advance(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	if b.wallet.sent != 1 {
		t.Errorf("%d transactions were sent, want 1", b.wallet.sent)
	}
	b.checkPaid()
}

func TestFault02OnlyWhatWasSeen(t *testing.T) {
	tests := map[string]struct {
		change func(b *box, a *Approval)
		want   error
	}{
		"older revision":       {func(_ *box, a *Approval) { a.Rev-- }, ErrStale},
		"other digest":         {func(_ *box, a *Approval) { a.Digest = make([]byte, 32) }, ErrStale},
		"no digest":            {func(_ *box, a *Approval) { a.Digest = nil }, ErrStale},
		"unknown payout":       {func(_ *box, a *Approval) { a.ID++ }, ErrNotFound},
		"too late":             {func(b *box, _ *Approval) { b.now = b.now.Add(24 * time.Hour) }, ErrExpired},
		"cap lowered":          {func(b *box, _ *Approval) { b.policy.MaxPayout = 1000 }, ErrCap},
		"daily cap lowered":    {func(b *box, _ *Approval) { b.policy.Max24h = 1000 }, ErrCap},
		"fee cap lowered":      {func(b *box, _ *Approval) { b.policy.FeeCap, b.policy.FeeCapBps = 1, -1 }, ErrCap},
		"fewer recipients":     {func(b *box, _ *Approval) { b.policy.MaxItems = 2 }, ErrCap},
		"wallet used by other": {func(b *box, _ *Approval) { b.thief(); b.advance() }, ErrFrozen},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			b.advance()
			a := approvalOf(b.want(p.ID, Pending, ""))
			tt.change(b, &a)

			if err := b.desk.Approve(t.Context(), a); !errors.Is(err, tt.want) {
				t.Errorf("Approve = %v, want %v", err, tt.want)
			}
			b.want(p.ID, Pending, "")
		})
	}
}

// thief spends a coin of the wallet with a transaction that is no payout.
func (b *box) thief() chainhash.Hash {
	b.wallet.mu.Lock()
	coin := b.wallet.unspent()[0]
	tx := b.wallet.txs[coin.TxID].tx.Copy()
	tx.TxIn[0].PreviousOutPoint.Hash, tx.TxIn[0].PreviousOutPoint.Index = coin.TxID, coin.Vout
	b.wallet.mu.Unlock()

	return b.wallet.steal(tx)
}

func TestFault03CancelAndExpire(t *testing.T) {
	full := fullLedger(t)
	tests := map[string]struct {
		before func(b *box, id int64)
		expire bool
		want   State
	}{
		"cancel draft":    {func(*box, int64) {}, false, Cancelled},
		"cancel pending":  {func(b *box, _ int64) { b.advance() }, false, Cancelled},
		"cancel approved": {func(b *box, id int64) { b.advance(); b.approve(b.get(id)) }, false, Cancelled},
		"expire pending":  {func(b *box, _ int64) { b.advance() }, true, Expired},
		"expire approved": {func(b *box, id int64) { b.advance(); b.approve(b.get(id)) }, true, Expired},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			tt.before(b, p.ID)
			p = b.get(p.ID)
			if tt.expire {
				b.now = b.now.Add(25 * time.Hour)
			} else {
				if err := b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev - 1, Actor: "ann"}); !errors.Is(err, ErrStale) {
					t.Errorf("cancel of an old revision: %v, want ErrStale", err)
				}
				if err := b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); err != nil {
					t.Fatal(err)
				}
			}
			b.advance()
			b.want(p.ID, tt.want, "")
			b.checkReleased()

			// The money is free for the next payout.
			b.settled()
			b.checkPaid()
		})
	}
}

func TestNoWayBackAfterTheSignature(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeRejected, "mempool min fee not met, 219 < 925")
	p := b.draft()
	b.advance()
	b.approve(b.get(p.ID))
	b.advance()
	p = b.want(p.ID, Signed, "does not take the transaction at the moment")

	if err := b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); !errors.Is(err, ErrStale) {
		t.Errorf("cancel of a signed payout: %v, want ErrStale", err)
	}
	b.now = b.now.Add(1000 * time.Hour)
	b.advance()
	b.want(p.ID, Signed, "does not take")

	b.wallet.refuse = nil
	b.advance()
	again := b.want(p.ID, Broadcast, "")
	if string(again.Raw) != string(p.Raw) {
		t.Error("other bytes were sent than were signed")
	}
	b.wallet.mine(3, 0)
	b.advance()
	b.checkPaid()
}
