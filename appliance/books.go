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
	operators, err := a.operators(ctx)
	if err != nil {
		return err
	}
	err = do(ctx, payout.Lift{
		Reason: c.Reason, Actor: c.Actor, IP: c.IP, Freezes: c.Freezes, Amount: c.Amount, Operators: operators,
	})
	return a.inVain(ctx, err, AuditEntry{
		Actor: c.Actor, Action: action, IP: c.IP, Detail: map[string]string{"reason": c.Reason, "sats": strconv.FormatInt(c.Amount, 10)},
	})
}

// inVain writes down that a correction was refused, and returns why. What was done,
// or waits for another person, is in the log already: it was written with it.
func (a *Appliance) inVain(ctx context.Context, err error, e AuditEntry) error {
	if err == nil || errors.Is(err, payout.ErrSecondPerson) || errors.Is(err, ErrUnwritten) {
		return err
	}
	e.Result = err.Error()
	return errors.Join(err, a.Audit(ctx, e))
}

// AdjustAccount corrects what one miner is owed, see [payout.Desk.Adjust]; how
// many have to agree is filled in here. The errors are those of
// [Appliance.LiftFreeze].
func (a *Appliance) AdjustAccount(ctx context.Context, adjust payout.Adjust) error {
	return a.adjust(ctx, adjust, a.payouts.Adjust)
}

func (a *Appliance) adjust(ctx context.Context, adjust payout.Adjust, do func(context.Context, payout.Adjust) error) (err error) {
	if adjust.Operators, err = a.operators(ctx); err != nil {
		return err
	}
	err = do(ctx, adjust)
	detail := map[string]string{"reason": adjust.Reason, "sats": strconv.FormatInt(adjust.Amount, 10)}
	if adjust.TxID != nil {
		detail["txid"] = adjust.TxID.String()
	}
	return a.inVain(ctx, err, AuditEntry{Actor: adjust.Actor, Action: "account.adjust", Object: adjust.Address, IP: adjust.IP, Detail: detail})
}

// operators counts the people who operate the box.
func (a *Appliance) operators(ctx context.Context) (n int, err error) {
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM operator`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count operators: %w", err)
	}
	return n, nil
}
