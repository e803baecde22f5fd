package payout

import (
	"errors"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

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

	ann := Lift{Reason: "the seed leaked", Actor: "ann", IP: "192.0.2.1", Operators: 2}
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
	if err := b.desk.Lift(t.Context(), alone); err != nil {
		t.Error(err)
	}
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

func TestCorrectionsAreKept(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.thief()
	b.advance()
	if err := b.desk.Lift(t.Context(), Lift{Reason: "it was me", Actor: "ann", Operators: 1}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`UPDATE correction SET reason = 'nothing'`, `DELETE FROM correction`} {
		if err := b.tryExec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
