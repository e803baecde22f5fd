package payout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// methodRule is the method of an approval that no person gave.
const methodRule = "rule"

// ApproveByRule approves the pending payouts that [Policy.AutoApproveBelow] lets
// go without a person, the oldest first, and returns those. It is only for a
// wallet that signs by itself: as long as somebody has to type the passphrase, or
// the keys are elsewhere, that person can approve as well.
func (d *Desk) ApproveByRule(ctx context.Context) (approved []Payout, err error) {
	err = d.exclusive(ctx, func() error {
		approved, err = d.approveAllByRule(ctx, d.policy())

		return err
	})

	return approved, err
}

func (d *Desk) approveAllByRule(ctx context.Context, policy Policy) ([]Payout, error) {
	if d.Cold() || policy.AutoApproveBelow <= 0 || policy.AutoApproveDaily <= 0 {
		return nil, nil
	}
	if _, frozen := d.Frozen(ctx); frozen {
		return nil, nil
	}
	_, err := d.pass.Passphrase(ctx)
	if errors.Is(err, ErrLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get wallet passphrase: %w", err)
	}

	pending, err := d.underWay(ctx, []State{Pending})
	if err != nil {
		return nil, err
	}
	var approved []Payout
	var errs []error
	for _, id := range pending {
		p, ok, err := d.approveByRule(ctx, id, policy)
		if err != nil {
			errs = append(errs, err)
		}
		if ok {
			approved = append(approved, p)
		}
	}

	return approved, errors.Join(errs...)
}

// approveByRule approves one payout if the rule covers it. That a person was
// faster, or a limit stands in the way, is no error: it waits like any other.
func (d *Desk) approveByRule(ctx context.Context, id int64, policy Policy) (p Payout, ok bool, err error) {
	if p, err = d.Get(ctx, id); err != nil {
		return p, false, err
	}
	var used int64
	err = d.db.Reader().QueryRowContext(ctx, `
		SELECT COALESCE(SUM(p.total), 0)
		FROM payout p JOIN approval a ON a.payout = p.id
		WHERE a.method = ? AND a.at >= ? AND p.state NOT IN ('cancelled', 'expired')`,
		methodRule, d.now().Add(-24*time.Hour).UnixMilli()).Scan(&used)
	if err != nil {
		return p, false, fmt.Errorf("add up approvals by rule: %w", err)
	}
	if p.State != Pending || p.Purpose != PurposeMiners || !policy.needsNobody(p.Total, used) {
		return p, false, nil
	}

	err = d.approve(ctx, Approval{ID: p.ID, Rev: p.Rev, Digest: p.Digest, User: methodRule, Method: methodRule})
	for _, waits := range []error{ErrStale, ErrExpired, ErrCap, ErrHold, ErrFrozen, ErrNotNow, ErrSecondPerson} {
		if errors.Is(err, waits) {
			return p, false, nil
		}
	}

	return p, err == nil, err
}
