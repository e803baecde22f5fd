package appliance

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/dmpool/dmpool/pool/payout"
)

// Correction asks to set the books right by hand. The caller has made sure that
// the operator is who they say, at this moment.
type Correction struct {
	Reason    string // the operator's words
	Freezes   int    // in force, as the operator has seen
	Amount    int64  // satoshis to be booked, as the operator has seen; see [payout.Lift]
	Actor, IP string
}

// LiftFreeze lets payouts go on, see [payout.Desk.Lift]. payout.ErrSecondPerson
// says that this yes is written down and that another operator has to agree.
func (a *Appliance) LiftFreeze(ctx context.Context, c Correction) error {
	return a.correct(ctx, "books.lift", c, a.payouts.Lift)
}

// BookSurplus books what somebody has sent to the wallet as the pool's own, see
// [payout.Desk.BookSurplus]. The errors are those of [Appliance.LiftFreeze].
func (a *Appliance) BookSurplus(ctx context.Context, c Correction) error {
	return a.correct(ctx, "books.surplus", c, a.payouts.BookSurplus)
}

func (a *Appliance) correct(ctx context.Context, action string, c Correction, do func(context.Context, payout.Lift) error) error {
	var operators int
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM operator`).Scan(&operators); err != nil {
		return fmt.Errorf("count operators: %w", err)
	}
	err := do(ctx, payout.Lift{
		Reason: c.Reason, Actor: c.Actor, IP: c.IP, Freezes: c.Freezes, Amount: c.Amount, Operators: operators,
	})
	result := "ok"
	if err != nil {
		result = err.Error()
	}
	return errors.Join(err, a.Audit(context.WithoutCancel(ctx), AuditEntry{
		Actor: c.Actor, Action: action, Result: result, IP: c.IP, Detail: map[string]string{"reason": c.Reason, "sats": strconv.FormatInt(c.Amount, 10)},
	}))
}
