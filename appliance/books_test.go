package appliance

import (
	"context"
	"errors"
	"testing"

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
