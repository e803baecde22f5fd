package payout

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Approve records a person's yes to exactly the plan with this revision and
// digest; the next [Desk.Advance] signs and sends it. The caller has made sure
// that the person is who they say. Of several calls one succeeds.
//
// Above [Policy.SecondPersonAbove] the first yes only stands in
// [Payout.Approvals], and the payout stays pending until somebody else agrees.
// Whoever drafted the payout can give the first yes, but not the one that decides.
//
// The error is ErrStale when the payout is not as it was on the screen,
// ErrExpired, ErrFrozen, ErrNotNow, ErrCap, ErrHold, ErrSweep, ErrSecondPerson, or
// ErrNotFound.
func (d *Desk) Approve(ctx context.Context, a Approval) error {
	if a.User == "" || a.Method == "" || a.Method == methodRule {
		return errors.New("approve payout: the user or the method is missing")
	}

	return d.approve(ctx, a)
}

func (d *Desk) approve(ctx context.Context, a Approval) error {
	if err := d.checkFrozen(ctx); err != nil {
		return err
	}

	var p Payout
	var decided bool
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) (err error) {
		if p, err = load(ctx, tx, a.ID, d.tip.Load()); err != nil {
			return err
		}
		if decided, err = d.writeApproval(ctx, tx, p, a); err != nil {
			return err
		}

		return d.record(ctx, tx, Deed{Action: "payout.approve", Object: ref(a.ID), Actor: a.User, IP: a.IP, Detail: satsOf(p.Total, map[string]string{
			"method": a.Method, "digest": hex.EncodeToString(a.Digest), "decided": strconv.FormatBool(decided),
		})})
	})
	if err != nil {
		return fmt.Errorf("approve payout %d: %w", a.ID, err)
	}

	d.log.Info("Payout approved", "payout", p.ID, "sats", p.Total, "user", a.User, "method", a.Method, "decided", decided)
	if decided && p.State == Pending {
		p.State = Approved
	}
	d.changed(p)

	return nil
}

// writeApproval adds an approval and reports whether it was the last one needed.
func (d *Desk) writeApproval(ctx context.Context, tx *ledger.Tx, p Payout, a Approval) (decided bool, err error) {
	now, policy := d.now(), d.policy()

	if asked, ok := p.asked(); ok {
		return d.approveBump(ctx, tx, p, asked, a)
	}
	if p.State != Pending || p.Rev != a.Rev || !bytes.Equal(p.Digest, a.Digest) {
		return false, ErrStale
	}
	if d.expired(p) {
		return false, ErrExpired
	}
	if a.Method == methodRule && (p.Purpose != PurposeMiners || !policy.needsNobody(p.Total, 0)) {
		return false, ErrSecondPerson // the rule has changed meanwhile, and is nobody of two
	}
	if err := policy.now(); err != nil {
		return false, err
	}
	if _, err := p.plan(p.Rev); err != nil {
		return false, err
	}
	if err := d.checkCaps(ctx, tx, p, policy); err != nil {
		return false, err
	}

	if decided, err = p.addApproval(ctx, tx, a, policy, now); err != nil || !decided {
		return false, err
	}
	if err := move(ctx, tx.Tx, p, Approved, now); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE payout SET expires_at = ? WHERE id = ?`, now.Add(policy.Expiry).UnixMilli(), p.ID)

	return true, err
}

// addApproval writes an approval of the revision and the digest that it names,
// and reports whether it was the last one needed.
func (p Payout) addApproval(ctx context.Context, tx *ledger.Tx, a Approval, policy Policy, at time.Time) (decided bool, err error) {
	before := p.approvers(a.Rev)
	if slices.Contains(before, a.User) || len(before) > 0 && a.User == p.CreatedBy {
		return false, ErrSecondPerson
	}

	return len(before)+1 >= policy.approvals(p.Total), insertApproval(ctx, tx, a, at)
}

// approvers are the people who said yes to the present plan at a revision, in
// the order in which they did.
func (p Payout) approvers(rev int64) []string {
	var users []string
	for _, a := range p.Approvals {
		if a.Rev == rev && bytes.Equal(a.Digest, p.Digest) && !slices.Contains(users, a.User) {
			users = append(users, a.User)
		}
	}

	return users
}

// checkCaps compares a planned payout with the limits as they are now.
func (d *Desk) checkCaps(ctx context.Context, q sqlite.Querier, p Payout, policy Policy) error {
	used, err := spent(ctx, q, p.ID, d.now().Add(-24*time.Hour), false)
	if err != nil {
		return err
	}
	if err := policy.caps(p.Total, len(p.Items), used); err != nil {
		return err
	}
	if highest := policy.feeCap(p.Total); p.Fee > highest {
		return fmt.Errorf("%w: the network fee of %d sats, at most %d sats are allowed", ErrCap, p.Fee, highest)
	}

	if p.Purpose == PurposeSweep {
		return checkSweep(ctx, q, p, policy)
	}

	return checkHolds(ctx, q, p)
}

// checkHolds is ErrHold when an account was put on hold since the draft.
func checkHolds(ctx context.Context, q sqlite.Querier, p Payout) error {
	var address string
	err := q.QueryRowContext(ctx, `
		SELECT COALESCE(MIN(a.address), '')
		FROM payout_item i JOIN account a ON a.id = i.account
		WHERE i.payout = ? AND a.hold = 1`, p.ID).Scan(&address)
	if err != nil {
		return fmt.Errorf("look for holds: %w", err)
	}
	if address != "" {
		return fmt.Errorf("%w: cancel the payout to leave %s out", ErrHold, address)
	}

	return nil
}

// checkApproved refuses to let go of a payout that does not keep the limits of
// this moment, or that too few people have approved for them.
func (d *Desk) checkApproved(ctx context.Context, p Payout, plan Plan) error {
	policy := d.policy()
	err := d.checkCaps(ctx, d.db.Reader(), p, policy)
	if err == nil && len(p.approvers(plan.Rev)) < policy.approvals(p.Total) {
		err = ErrSecondPerson
	}
	if errors.Is(err, ErrCap) || errors.Is(err, ErrHold) || errors.Is(err, ErrSweep) || errors.Is(err, ErrSecondPerson) {
		return problemf("Approved, but not signed: %v.", err)
	}

	return err
}
