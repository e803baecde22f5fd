package webui

import (
	"context"
	"errors"
	"fmt"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool/payout"
)

func (m *machine) Books(ctx context.Context) (booksView, error) {
	desk, err := m.desk()
	if err != nil {
		return booksView{}, err
	}
	sums, err := m.box.Ledger().Sums(ctx)
	if err != nil {
		return booksView{}, fmt.Errorf("add up the ledger: %w", err)
	}
	v := booksView{Shortfall: sums.Shortfall(), Own: sums.Own(), Sweep: sums.Sweep, Uncovered: desk.Uncovered()}
	if reason, frozen := desk.Frozen(ctx); frozen {
		v.Frozen = reason
	}
	freezes, err := desk.Freezes(ctx)
	if err != nil {
		return booksView{}, fmt.Errorf("read freezes: %w", err)
	}
	for _, f := range freezes {
		line := freezeLine{At: f.At, Reason: f.Reason, LiftedAt: f.LiftedAt, LiftedBy: f.LiftedBy}
		if f.TxID != nil {
			line.TxID = f.TxID.String()
		}
		if f.LiftedAt.IsZero() {
			v.Open = append(v.Open, line)
		} else {
			v.Past = append(v.Past, line)
		}
	}
	said, err := desk.Corrections(ctx)
	if err != nil {
		return booksView{}, fmt.Errorf("read corrections: %w", err)
	}
	for _, c := range said {
		v.Said = append(v.Said, correctLineOf(c))
	}
	if c, known := desk.Compared(); known {
		v.Compared = &compareLine{
			At: c.At, Height: c.Height, Booked: c.Booked, OnTheWay: c.OnTheWay, Wallet: c.Wallet,
			Missing: c.Missing(), Surplus: c.Surplus(),
		}
	}
	return v, nil
}

func (m *machine) CorrectBooks(ctx context.Context, c correction) (decided bool, err error) {
	if _, err := m.desk(); err != nil {
		return false, err
	}
	do := m.box.BookSurplus
	if c.Lift {
		do = m.box.LiftFreeze
	}
	err = do(ctx, appliance.Correction{
		Reason: c.Reason, Freezes: c.Freezes, Amount: c.Amount, Actor: c.Operator.Name, IP: c.IP,
	})
	if errors.Is(err, payout.ErrSecondPerson) {
		return false, nil
	}
	return err == nil, asProblem(err)
}
