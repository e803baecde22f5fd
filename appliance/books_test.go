package appliance

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/payout"
)

// A correction of the books is on the record, whatever came of it, and knows how
// many people operate the box.
func TestCorrectionIsAudited(t *testing.T) {
	a := setUpBox(t)
	for _, want := range []error{nil, payout.ErrSecondPerson} {
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
		if entry.Action != "books.lift" || entry.Detail["reason"] != "a test" || entry.Detail["sats"] != "-5" || (entry.Result == "ok") != (want == nil) {
			t.Errorf("audit entry %+v", entry)
		}
	}
}

// So is a correction of one account, with the transaction that it is about.
func TestAdjustmentIsAudited(t *testing.T) {
	a := setUpBox(t)
	txid := chainhash.HashH([]byte("theirs"))
	for _, want := range []error{nil, payout.ErrSecondPerson} {
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
		if entry.Action != "account.adjust" || entry.Object != "bcrt1q" || entry.Detail["reason"] != "a test" || entry.Detail["sats"] != "5" ||
			entry.Detail["txid"] != txid.String() || (entry.Result == "ok") != (want == nil) {
			t.Errorf("audit entry %+v", entry)
		}
	}
}
