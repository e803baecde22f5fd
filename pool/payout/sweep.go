package payout

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Purpose says what a payout is for. It is fixed when the payout is drafted.
type Purpose string

// The purposes of payouts.
const (
	// PurposeMiners pays miners what they are owed.
	PurposeMiners Purpose = "miners"
	// PurposeSweep moves money of the pool's own to the cold address. It has one
	// item, and always needs a person's approval.
	PurposeSweep Purpose = "sweep"
)

// bucket is the one in which the items' accounts have the money that is set aside.
func (p Purpose) bucket() string {
	if p == PurposeSweep {
		return "" // the pool's own accounts have none
	}

	return ledger.Reserved
}

// SweepRequest asks to move money of the pool's own to the cold address.
type SweepRequest struct {
	DraftRequest

	All bool // all that is not kept for network fees; else what is beyond the limit of the wallet
}

// Sweepable is what a sweep would move now, in satoshis.
type Sweepable struct {
	Over int64 // of what is beyond the limit of the wallet
	All  int64 // of all that is the pool's own
}

// errNoCold says where a sweep lacks its destination.
var errNoCold error = problemError("There is no cold address to move money to. Set one on the wallet page.")

// Sweep drafts a payout to the cold address of money that is the pool's own: never
// what miners are owed or a payout has reserved, never what is not mature, and not
// the last of it, because the pool bears network fees. From there on it is a payout
// as any other: the same caps, checks and approvals, the same way back.
//
// The error is that of [Desk.Draft], with ErrNothingOwn in place of ErrNothingDue,
// or a refusal in words: there is no cold address, or another sweep is under way.
func (d *Desk) Sweep(ctx context.Context, r SweepRequest) (Payout, error) {
	return d.prepare(ctx, r.DraftRequest, func(tx *ledger.Tx) (order, error) {
		policy := d.policy()
		if policy.Cold == "" {
			return order{}, errNoCold
		}
		if err := onlySweep(ctx, tx); err != nil {
			return order{}, err
		}
		can, sums, err := d.sweepable(ctx, tx, policy)
		if err != nil {
			return order{}, err
		}
		amount := can.Over
		if r.All {
			amount = can.All
		}
		if amount == 0 {
			return order{}, ErrNothingOwn
		}

		postings, err := sums.SetAside(amount)
		item := Item{Account: ledger.PoolSweep, Address: policy.Cold, Script: policy.ColdScript, Amount: amount}

		return order{purpose: PurposeSweep, items: []Item{item}, feePolicy: FeePool, postings: postings}, err
	})
}

// Sweepable is what [Desk.Sweep] would move now; nothing while another sweep is
// under way.
func (d *Desk) Sweepable(ctx context.Context) (Sweepable, error) {
	policy := d.policy()
	if policy.Cold == "" {
		return Sweepable{}, nil
	}
	if err := onlySweep(ctx, d.db.Reader()); err != nil {
		if _, refused := Sentence(err); refused {
			err = nil
		}

		return Sweepable{}, err
	}
	can, _, err := d.sweepable(ctx, d.db.Reader(), policy)

	return can, err
}

// onlySweep refuses a second sweep next to one that is not over.
func onlySweep(ctx context.Context, q sqlite.Querier) error {
	var id int64
	err := q.QueryRowContext(ctx, `SELECT payout FROM payout_item WHERE account = ? AND live = 1`, ledger.PoolSweep).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a sweep: %w", err)
	}

	return problemf("Payout %d already moves money to the cold address. Wait until it is over, or cancel it.", id)
}

func (d *Desk) sweepable(ctx context.Context, q sqlite.Querier, policy Policy) (can Sweepable, sums ledger.Sums, err error) {
	if sums, err = ledger.ReadSums(ctx, q); err != nil {
		return can, sums, err
	}
	fees, err := openFees(ctx, q, 0, true)
	if err != nil {
		return can, sums, err
	}
	used, err := spent(ctx, q, 0, d.now().Add(-24*time.Hour), true)

	return policy.sweepable(sums, fees, used), sums, err
}

// sweepable is what may be moved to the cold address by the books. fees are those of
// payouts under way that are not booked yet, and spent is as in caps.
//
// The highest fee that a payout over all of it could cost stays behind: that pays for
// the sweep itself and for a bump of it, so that the miners' money never does.
func (p Policy) sweepable(s ledger.Sums, fees, spent int64) Sweepable {
	own := max(0, s.Own()-fees)
	own = max(0, own-p.feeCap(own))
	over := int64(0)
	if p.WalletLimit > 0 { // what is reserved is about to leave
		over = max(0, s.Spendable-s.Reserved-s.Sweep-p.WalletLimit)
	}

	room := p.room(spent)
	worth := func(amount int64) int64 {
		if room >= 0 {
			amount = min(amount, room)
		}
		if amount < max(p.MinPayout, dustLimit(p.ColdScript)) {
			return 0
		}

		return amount
	}

	return Sweepable{Over: worth(min(own, over)), All: worth(own)}
}

// openFees are the network fees in satoshis that other payouts than one have still
// to be booked: the highest that any of their transactions pays. With drafts, one
// that has none yet counts with the highest fee that it may have; but a draft that
// waits for coins of a planned sweep must not keep that from being sent.
func openFees(ctx context.Context, q sqlite.Querier, except int64, drafts bool) (fees int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT SUM(COALESCE((SELECT MAX(fee) FROM payout_tx WHERE payout = p.id), IIF(?, p.fee_cap, 0)))
		                 FROM payout p
		                 WHERE p.id <> ? AND p.state IN ('draft', 'pending', 'approved', 'signed', 'broadcast', 'confirmed', 'cancelling')), 0)
		     + COALESCE((SELECT SUM(fee) FROM sponsor WHERE state NOT IN ('settled', 'dead')), 0)`, drafts, except).Scan(&fees)
	if err != nil {
		return 0, fmt.Errorf("add up fees: %w", err)
	}

	return fees, nil
}

// checkSweep is ErrSweep unless a planned sweep goes to the cold address that is in
// force at this moment, and still moves and costs no more than is the pool's own.
func checkSweep(ctx context.Context, q sqlite.Querier, p Payout, policy Policy) error {
	for _, i := range p.Items {
		if i.Address != policy.Cold || !bytes.Equal(i.Script, policy.ColdScript) {
			return fmt.Errorf("%w: %s is not the cold address now", ErrSweep, i.Address)
		}
	}
	sums, err := ledger.ReadSums(ctx, q)
	if err != nil {
		return err
	}
	fees, err := openFees(ctx, q, p.ID, false)
	if err != nil {
		return err
	}
	if own := sums.Own() - fees - p.Fee; own < 0 { // what it moves is set aside already
		return fmt.Errorf("%w: it is %d sats more than the pool has of its own now", ErrSweep, -own)
	}

	return nil
}

// checkForeign refuses a sweep that would pay the wallet itself: nothing would leave
// it, and the books would say that it had.
func (d *Desk) checkForeign(ctx context.Context, one Payout, params *chaincfg.Params) error {
	if one.Purpose != PurposeSweep {
		return nil
	}
	for _, i := range one.Items {
		mine, err := d.isMine(ctx, i.Script, params)
		if err != nil {
			return err
		}
		if mine {
			return problemError("The cold address belongs to the pool's own wallet. Cancel the payout and set another one.")
		}
	}

	return nil
}
