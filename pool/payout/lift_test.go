package payout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// seen completes what a person asks for with what stands on their screen now.
func (b *box) seen(l Lift) Lift {
	b.t.Helper()
	p, err := b.desk.survey(b.t.Context())
	b.must(err)
	c, ok, err := b.desk.compare(b.t.Context(), p)
	b.must(err)
	if !ok {
		b.t.Fatal("books and wallet are moving")
	}
	freezes, err := b.desk.Freezes(b.t.Context())
	b.must(err)
	l.Freezes, l.Amount = 0, c.Surplus()
	for _, f := range freezes {
		if f.LiftedAt.IsZero() {
			l.Freezes++
			l.Amount = -c.Missing()
		}
	}

	return l
}

// TestLift: two people agree on what a theft was; the books follow the wallet and
// the miners are still owed everything.
func TestLift(t *testing.T) {
	b := newBox(t, fullLedger(t))
	ctx := t.Context()
	b.wallet.mine(1, 0)
	b.advance()
	stolen := b.thief()
	b.advance()
	if _, frozen := b.desk.Frozen(ctx); !frozen {
		t.Fatal("a theft does not freeze")
	}

	ann := b.seen(Lift{Reason: "the seed leaked", Actor: "ann", IP: "192.0.2.1", Operators: 2})
	bob := ann
	bob.Reason, bob.Actor = "ann told me", "bob"
	nobody, silent := ann, ann
	nobody.Actor, silent.Reason = "", ""
	for _, l := range []Lift{nobody, silent} {
		if err := b.desk.Lift(ctx, l); err == nil || errors.Is(err, ErrSecondPerson) {
			t.Errorf("Lift(%+v) = %v", l, err)
		}
	}
	for range 2 {
		if err := b.desk.Lift(ctx, ann); !errors.Is(err, ErrSecondPerson) {
			t.Errorf("ann alone: %v, want ErrSecondPerson", err)
		}
	}
	if err := b.desk.BookSurplus(ctx, bob); !errors.Is(err, ErrFrozen) {
		t.Errorf("book a surplus while frozen: %v", err)
	}
	if _, frozen := b.desk.Frozen(ctx); !frozen {
		t.Fatal("one of two people lifts")
	}
	if err := b.desk.Lift(ctx, bob); err != nil {
		t.Fatal(err)
	}

	b.reopen()
	b.advance()
	if reason, frozen := b.desk.Frozen(ctx); frozen {
		t.Errorf("frozen after a lift: %s", reason)
	}
	if err := b.desk.Lift(ctx, bob); !errors.Is(err, errNotFrozen) {
		t.Errorf("lift what is not frozen: %v", err)
	}
	freezes, err := b.desk.Freezes(ctx)
	if err != nil || len(freezes) != 1 || *freezes[0].TxID != stolen || freezes[0].LiftedBy != "bob" || freezes[0].LiftedAt.IsZero() {
		t.Errorf("Freezes = %+v, %v", freezes, err)
	}
	said, err := b.desk.Corrections(ctx)
	if err != nil || len(said) != 2 || said[0].What != said[1].What || said[0].Reason == said[1].Reason {
		t.Fatalf("Corrections = %+v, %v", said, err)
	}

	// The immature coins that the books know nothing of cover the theft here, so
	// nothing is lost and nothing is booked.
	if said[0].Amount != 0 {
		t.Errorf("%d sats are booked although the wallet has more than the books say", said[0].Amount)
	}
	if events, err := b.ledger.Events(ctx, ledger.EventFilter{Ref: "adj:" + said[0].What}, 1); err != nil || len(events) != 0 {
		t.Errorf("events %+v, %v", events, err)
	}
	b.wallet.mine(100, 0)
	p := b.sent()
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
}

// TestLiftWaits: as long as the unknown transaction can still go either way,
// nobody knows what it costs.
func TestLiftWaits(t *testing.T) {
	b := newBox(t, fullLedger(t))
	txid := b.thief()
	b.wallet.txs[txid].block, b.wallet.txs[txid].mempool = 0, true
	b.advance()
	alone := Lift{Reason: "it was me", Actor: "ann", Operators: 1}
	if err := b.desk.Lift(t.Context(), alone); err == nil || !strings.Contains(err.Error(), "not in a block yet") {
		t.Errorf("Lift = %v", err)
	}
	b.wallet.mine(1, 0)
	if err := b.desk.Lift(t.Context(), b.seen(alone)); err != nil {
		t.Error(err)
	}
}

// TestLiftOnlyWhatWasSeen: a theft, or a loss, of which nobody knew when they decided
// is not lifted with the one that they knew.
func TestLiftOnlyWhatWasSeen(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.thief()
	b.advance()
	l := b.seen(Lift{Reason: "it was me", Actor: "ann", Operators: 1})
	b.thief()
	if err := b.desk.Lift(t.Context(), l); !errors.Is(err, ErrStale) {
		t.Errorf("another theft: Lift = %v, want ErrStale", err)
	}
	l = b.seen(l)
	l.Amount--
	if err := b.desk.Lift(t.Context(), l); !errors.Is(err, ErrStale) {
		t.Errorf("another amount: Lift = %v, want ErrStale", err)
	}
	if _, frozen := b.desk.Frozen(t.Context()); !frozen {
		t.Fatal("payouts go on")
	}
	b.must(b.desk.Lift(t.Context(), b.seen(l)))
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen: %s", reason)
	}
}

// TestLiftAfterOldBackup: the miners of a payout that a restored ledger does not know
// are not paid a second time when the freeze is lifted.
func TestLiftAfterOldBackup(t *testing.T) {
	full := fullLedger(t)
	b := newBox(t, full)
	b.policy.MaxItems = 1
	p := b.sent() // the one who is owed most
	b.wallet.mine(3, 0)
	paid := b.get(p.ID).Items[0]

	b.restore(full)
	b.must(b.desk.Lift(t.Context(), b.seen(Lift{Reason: "a restored backup", Actor: "ann", Operators: 1})))

	b.policy.MaxItems = 200
	next := b.draft()
	if next.Recipients != miners-1 || slices.ContainsFunc(next.Items, func(i Item) bool { return i.Account == paid.Account }) {
		t.Errorf("the next payout pays %+v, and account %d has been paid", next.Items, paid.Account)
	}
	owed, err := b.desk.Owed(t.Context())
	b.must(err)
	if n := slices.IndexFunc(owed, func(d Due) bool { return d.Account == paid.Account }); n < 0 || !strings.Contains(owed[n].Reason, "on hold") {
		t.Errorf("owed %+v", owed)
	}
	b.checkBooks()
}

// TestLiftNeedsBooks: books that contradict themselves are not corrected by
// adding to them.
func TestLiftNeedsBooks(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.thief()
	b.advance()
	b.exec(`UPDATE balance SET amount = amount - 1 WHERE account = 101 AND bucket = 'payable'`)
	err := b.desk.Lift(t.Context(), Lift{Reason: "it was me", Actor: "ann", Operators: 1})
	if err == nil || !strings.Contains(err.Error(), "contradicts itself") {
		t.Errorf("Lift = %v", err)
	}
}

// TestSurplusCoversADebt: a miner who was paid for a block that is gone may never
// come back. What the pool adds lets the others be paid.
func TestSurplusCoversADebt(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.settled()
	b.observe(chainhash.HashH(fmt.Append(nil, 1)), -1)
	if err := b.desk.CheckBooks(t.Context()); !ledger.Uncovered(err) || !b.desk.Uncovered() {
		t.Fatalf("CheckBooks = %v, uncovered %v", err, b.desk.Uncovered())
	}
	if reason, frozen := b.desk.Frozen(t.Context()); !frozen || !strings.Contains(reason, "left the chain after its reward was paid") {
		t.Fatalf("frozen %v: %s", frozen, reason)
	}

	alone := Lift{Reason: "my own coins", Actor: "ann", Operators: 1}
	b.must(b.desk.BookSurplus(t.Context(), b.seen(alone)))
	if reason, frozen := b.desk.Frozen(t.Context()); frozen || b.desk.Uncovered() {
		t.Errorf("frozen although it is covered: %s", reason)
	}
	b.checkBooks()

	b.exec(`UPDATE balance SET amount = amount - 1 WHERE account = 101 AND bucket = 'payable'`)
	if err := b.desk.CheckBooks(t.Context()); err == nil || ledger.Uncovered(err) || b.desk.Uncovered() {
		t.Errorf("books that contradict themselves: %v, uncovered %v", err, b.desk.Uncovered())
	}
}

// TestSurplusIsNoBlock: what a block has paid that is not booked yet is no gift.
func TestSurplusIsNoBlock(t *testing.T) {
	b := newBox(t, fullLedger(t))
	hash := chainhash.HashH([]byte("fresh"))
	b.must(b.ledger.RecordFound(t.Context(), ledger.Found{
		Hash: hash, Height: 110, At: b.now, Address: addressOf(t, script(1)), Script: script(1), Work: 1, Bits: 0x207fffff,
		CoinbaseTxID: hash, Value: 7 * reward, Raw: []byte("block"),
		Terms: ledger.Terms{Settlement: "ledger", FeeBps: 100, WindowMilli: 2000, Underfill: "scale"},
	}))
	l := b.seen(Lift{Reason: "my own coins", Actor: "ann", Operators: 1})
	if err := b.desk.BookSurplus(t.Context(), l); err == nil || !strings.Contains(err.Error(), "height 110 is not booked yet") {
		t.Errorf("BookSurplus = %v", err)
	}
	if sums := b.sums(); sums.Reserve != 0 {
		t.Errorf("books %+v", sums)
	}
	b.observe(hash, 1)
	if err := b.desk.BookSurplus(t.Context(), b.seen(l)); err == nil {
		t.Error("a block without a split is booked as a gift")
	}
}

func TestCorrectionsAreKept(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.thief()
	b.advance()
	if err := b.desk.Lift(t.Context(), b.seen(Lift{Reason: "it was me", Actor: "ann", Operators: 1})); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`UPDATE correction SET reason = 'nothing'`, `DELETE FROM correction`} {
		if err := b.tryExec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
