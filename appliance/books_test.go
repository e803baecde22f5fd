package appliance

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/payout"
)

// refusals are what a correction comes to, and whether the log gets an entry of it
// from here: what was done, or waits for another person, has one from its own
// transaction.
var refusals = map[error]bool{
	nil: false, payout.ErrSecondPerson: false, ErrUnwritten: false,
	payout.ErrStale: true, payout.ErrFrozen: true,
}

// What a correction of the books was refused for is on the record, and it knows how
// many people operate the box.
func TestRefusedCorrectionIsAudited(t *testing.T) {
	a := setUpBox(t)
	for want, written := range refusals {
		before := lastAudit(t, a).Seq
		err := a.correct(t.Context(), "books.lift", Correction{Reason: "a test", Freezes: 2, Amount: -5, Actor: "anna", IP: "::1"}, func(_ context.Context, l payout.Lift) error {
			if l.Operators != 1 || l.Actor != "anna" || l.Reason != "a test" || l.IP != "::1" || l.Freezes != 2 || l.Amount != -5 {
				t.Errorf("asked with %+v", l)
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		entry := lastAudit(t, a)
		if (entry.Seq > before) != written {
			t.Errorf("%v: the last entry is %d, was %d", want, entry.Seq, before)
		}
		if written && (entry.Action != "books.lift" || entry.Detail["reason"] != "a test" || entry.Detail["sats"] != "-5" || entry.Result != want.Error()) {
			t.Errorf("audit entry %+v", entry)
		}
	}
}

// So is a correction of one account, with the transaction that it is about.
func TestRefusedAdjustmentIsAudited(t *testing.T) {
	a := setUpBox(t)
	txid := chainhash.HashH([]byte("theirs"))
	for want, written := range refusals {
		before := lastAudit(t, a).Seq
		err := a.adjust(t.Context(), payout.Adjust{Address: "bcrt1q", TxID: &txid, Amount: 5, Reason: "a test", Actor: "anna", IP: "::1"},
			func(_ context.Context, adjust payout.Adjust) error {
				if adjust.Operators != 1 || adjust.Actor != "anna" || adjust.Amount != 5 || *adjust.TxID != txid {
					t.Errorf("asked with %+v", adjust)
				}
				return want
			})
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		entry := lastAudit(t, a)
		if (entry.Seq > before) != written {
			t.Errorf("%v: the last entry is %d, was %d", want, entry.Seq, before)
		}
		if written && (entry.Action != "account.adjust" || entry.Object != "bcrt1q" || entry.Detail["reason"] != "a test" || entry.Detail["sats"] != "5" ||
			entry.Detail["txid"] != txid.String() || entry.Result != want.Error()) {
			t.Errorf("audit entry %+v", entry)
		}
	}
}
