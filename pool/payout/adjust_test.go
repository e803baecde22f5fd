package payout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// payable is what a miner is owed now.
func (b *box) payable(n int64) int64 {
	b.t.Helper()
	balance, _, err := b.ledger.BalanceOf(b.t.Context(), addressOf(b.t, script(n)))
	b.must(err)

	return balance.Payable
}

// restore puts a file of the ledger in the place of the present one.
func (b *box) restore(backup string) {
	b.t.Helper()
	content, err := os.ReadFile(backup)
	b.must(err)
	b.must(b.db.Close())
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(b.path + suffix)
	}
	b.must(os.WriteFile(b.path, content, 0o600))
	b.open()
	b.advance()
}

// TestAdjustWritesOffADebt: a miner who was paid for a block that is gone owes nothing
// any more, once two people want it, and the pool bears it.
func TestAdjustWritesOffADebt(t *testing.T) {
	b := newBox(t, fullLedger(t))
	ctx := t.Context()
	b.settled()
	b.observe(chainhash.HashH([]byte("1")), -1)
	debt := -b.payable(3)
	if debt <= 0 || debt != earned(3)/blocks {
		t.Fatalf("debt %d", debt)
	}

	ann := Adjust{Address: addressOf(t, script(3)), Amount: debt, Reason: "the machine is sold", Actor: "ann", IP: "192.0.2.1", Operators: 2}
	for name, change := range map[string]func(*Adjust){
		"nobody":             func(a *Adjust) { a.Actor = "" },
		"no reason":          func(a *Adjust) { a.Reason = "" },
		"another amount":     func(a *Adjust) { a.Amount-- },
		"another address":    func(a *Adjust) { a.Address = addressOf(t, script(9)) },
		"a transaction":      func(a *Adjust) { a.TxID = new(chainhash.HashH([]byte("unknown"))) },
		"the first of two":   func(*Adjust) {},
		"the same one again": func(*Adjust) {},
	} {
		a := ann
		if change(&a); b.desk.Adjust(ctx, a) == nil {
			t.Errorf("%s: adjusted", name)
		}
	}
	if got := b.payable(3); got != -debt {
		t.Fatalf("one of two writes off: payable %d", got)
	}
	bob := ann
	bob.Actor, bob.Reason = "bob", "ann told me"
	b.must(b.desk.Adjust(ctx, bob))

	if sums := b.sums(); b.payable(3) != 0 || sums.Reserve != -debt {
		t.Errorf("payable %d, books %+v", b.payable(3), sums)
	}
	if err := b.desk.Adjust(ctx, bob); !errors.Is(err, errNoDebt) {
		t.Errorf("a second time: %v", err)
	}
	said, err := b.desk.Corrections(ctx)
	if err != nil || len(said) != 2 || said[0].What != said[1].What || said[0].Address != ann.Address || said[0].Amount != debt || said[0].TxID != nil {
		t.Errorf("Corrections = %+v, %v", said, err)
	}
	if err := b.ledger.Check(ctx); err != nil && !ledger.Uncovered(err) {
		t.Error(err)
	}

	// The block comes back: what it is worth is theirs, and nothing is owed twice over.
	b.observe(chainhash.HashH([]byte("1")), 1)
	b.observe(chainhash.HashH([]byte("1")), 101)
	if got := b.payable(3); got != debt {
		t.Errorf("payable %d after the block is back", got)
	}
}

// TestAdjustWaits: what can still be undone by itself is not written off.
func TestAdjustWaits(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.settled()
	b.observe(chainhash.HashH([]byte("4")), -1)
	for tip, wait := range map[int32]bool{10: true, 103: true, 104: false} {
		b.desk.tip.Store(tip)
		can, err := b.desk.Adjustable(t.Context(), addressOf(t, script(3)))
		b.must(err)
		if can.Debt == 0 || (can.Wait != "") != wait {
			t.Errorf("tip %d: %+v", tip, can)
		}
		if _, err := can.amount(nil); (err != nil) != wait {
			t.Errorf("tip %d: %v", tip, err)
		}
	}

	// A payout that is on its way can settle or be released.
	b = newBox(t, fullLedger(t))
	b.sent()
	b.observe(chainhash.HashH([]byte("1")), -1)
	a := Adjust{Address: addressOf(t, script(3)), Amount: -b.payable(3), Reason: "sold", Actor: "ann", Operators: 1}
	if err := b.desk.Adjust(t.Context(), a); err == nil || !strings.Contains(err.Error(), "still on its way") {
		t.Errorf("Adjust = %v", err)
	}
}

// TestAdjustTakesWhatWasPaid: after an old backup was restored, what its payout has
// paid a miner is taken off their account instead of the pool's reserve, as far as they
// are owed it, and the rest when they have earned it.
func TestAdjustTakesWhatWasPaid(t *testing.T) {
	// A backup from when two of the four blocks were found.
	old := filepath.Join(fastDir(t), "old.db")
	db, err := sqlite.Open(t.Context(), old, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for n := range blocks / 2 {
		earn(t, ledger.New(db), int32(n+1), reward)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	b := newBox(t, fullLedger(t))
	ctx := t.Context()
	b.policy.MaxItems = 1
	p := b.sent() // miner 3
	b.wallet.mine(3, 0)
	b.restore(old)

	alone := Adjust{
		Address: addressOf(t, script(3)), TxID: p.TxID, Amount: earned(3) / 2,
		Reason: "a restored backup", Actor: "ann", Operators: 1,
	}
	if err := b.desk.Adjust(ctx, alone); !errors.Is(err, ErrFrozen) {
		t.Errorf("while frozen: %v", err)
	}
	b.must(b.desk.Lift(ctx, b.seen(Lift{Reason: "a restored backup", Actor: "ann", Operators: 1})))
	can, err := b.desk.Adjustable(ctx, alone.Address)
	if want := (Unbooked{TxID: *p.TxID, Amount: earned(3), Now: earned(3) / 2}); err != nil || len(can.Paid) != 1 || can.Paid[0] != want {
		t.Fatalf("Adjustable = %+v, %v; want %+v", can, err, want)
	}
	other, err := b.desk.Adjustable(ctx, addressOf(t, script(1)))
	if err != nil || len(other.Paid) != 0 {
		t.Errorf("a miner who got nothing: %+v, %v", other, err)
	}

	reserve := b.sums().Reserve
	b.must(b.desk.Adjust(ctx, alone))
	if sums := b.sums(); b.payable(3) != 0 || sums.Reserve != reserve+alone.Amount {
		t.Errorf("payable %d, reserve %d; it was %d", b.payable(3), sums.Reserve, reserve)
	}
	if err := b.desk.Adjust(ctx, alone); !errors.Is(err, errNotTheirs) {
		t.Errorf("more than is payable: %v", err)
	}
	for n := blocks / 2; n < blocks; n++ {
		earn(t, b.ledger, int32(n+1), reward)
	}
	b.must(b.desk.Adjust(ctx, alone)) // the other half
	if b.payable(3) != 0 {
		t.Errorf("payable %d", b.payable(3))
	}
	can, err = b.desk.Adjustable(ctx, alone.Address)
	if err != nil || len(can.Paid) != 0 {
		t.Errorf("it is all booked, and %+v is left (%v)", can, err)
	}

	// The statement of the account has it.
	balance, _, err := b.ledger.BalanceOf(ctx, alone.Address)
	b.must(err)
	lines, err := b.ledger.Lines(ctx, balance.ID, 0, 100)
	b.must(err)
	var off int64
	for _, l := range lines {
		if l.Kind == ledger.KindAdjust && l.Bucket == ledger.Payable && l.Actor == "ann" {
			off += l.Amount
		}
	}
	if off != earned(3) {
		t.Errorf("the statement says that %d sats were taken off, want %d", off, earned(3))
	}

	// Off hold, and nobody is paid twice.
	b.must(b.ledger.SetAccountRule(ctx, alone.Address, nil, false, "ann"))
	b.policy.MaxItems = 200
	if next := b.draft(); next.Recipients != miners-1 {
		t.Errorf("the next payout pays %+v", next.Items)
	}
	b.checkBooks()
}

// TestAdjustNeedsDepth: a transaction that could still leave the chain has paid nobody
// for good.
func TestAdjustNeedsDepth(t *testing.T) {
	full := fullLedger(t)
	b := newBox(t, full)
	b.policy.MaxItems = 1
	p := b.sent()
	b.wallet.mine(1, 0)
	b.restore(full)
	b.must(b.desk.Lift(t.Context(), b.seen(Lift{Reason: "a restored backup", Actor: "ann", Operators: 1})))
	for _, want := range []int{0, 0, 1} {
		can, err := b.desk.Adjustable(t.Context(), addressOf(t, script(3)))
		if err != nil || len(can.Paid) != want {
			t.Errorf("Adjustable = %+v, %v; want %d payments", can, err, want)
		}
		b.wallet.mine(1, 0)
	}
	if can, err := b.desk.Adjustable(t.Context(), addressOf(t, script(3))); err == nil && len(can.Paid) == 1 && can.Paid[0].TxID != *p.TxID {
		t.Errorf("Paid = %+v", can.Paid)
	}
}
