package payout

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// TestFreezeOld: a ledger out of a backup pays nothing before somebody has said so.
func TestFreezeOld(t *testing.T) {
	b := newBox(t, fullLedger(t))
	made := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for range 2 {
		if err := b.ledger.Update(t.Context(), func(tx *ledger.Tx) error { return FreezeOld(t.Context(), tx, made, made.Add(time.Hour)) }); err != nil {
			t.Fatal(err)
		}
	}
	if reason, frozen := b.desk.Frozen(t.Context()); !frozen || !strings.Contains(reason, "23 November 2026, 02:00") {
		t.Errorf("frozen: %v, %q", frozen, reason)
	}
	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "1"}); err == nil {
		t.Error("a payout was drafted")
	}
	all, err := b.desk.Freezes(t.Context())
	if err != nil || len(all) != 1 || !all[0].Old.Equal(made) {
		t.Errorf("freezes: %+v, %v", all, err)
	}
	if err := b.desk.Lift(t.Context(), b.seen(Lift{Reason: "there was no payout since", Actor: "ann", Operators: 1})); err != nil {
		t.Error(err)
	}
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen after a lift: %s", reason)
	}
}

// Where miners are owed nothing, nothing can be paid twice.
func TestFreezeOldOwesNothing(t *testing.T) {
	path := filepath.Join(fastDir(t), "ledger.db")
	db, err := sqlite.Open(t.Context(), path, ledger.Schema)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t, path)
	err = b.ledger.Update(t.Context(), func(tx *ledger.Tx) error { return FreezeOld(t.Context(), tx, time.Now(), time.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen: %s", reason)
	}
}
