package payout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Change asks to do something about a payout that exists. The caller has made sure
// that the person is who they say.
type Change struct {
	ID, Rev int64 // the payout, and the revision that was on the screen

	// FeeRate is what the node is to be offered for a transaction that is added to
	// one that was signed, in sat/vB as a decimal. Empty
	// means the policy's rate or the node's estimate, and at least what it takes
	// to replace what was sent.
	FeeRate string

	Actor, IP string
}

// Can says what can be done with a payout in its present state, whether or not
// payouts are frozen.
type Can struct {
	Approve    bool // Approve: it, or a higher fee of it, waits for a yes
	Cancel     bool // Cancel: nothing is signed yet
	Export     bool // Export: hand it out to be signed elsewhere
	Import     bool // Import: take it back signed
	Bump       bool // Bump: have it pay a higher fee
	CancelSent bool // CancelSent: send its coins back to the wallet, or do so with a higher fee
	Sponsor    bool // Sponsor: spend its change with a high fee
	GiveUpDead bool // GiveUpDead: nothing that was signed can confirm any more
}

func (p Payout) can() Can {
	sent := p.State == Signed || p.State == Broadcast
	head, signed := p.head()
	taken, _ := p.taken()
	lost := signed && (sent || p.State == Cancelling) &&
		!slices.ContainsFunc(p.Attempts, func(a Attempt) bool { return a.Signed() && a.Fate != FateDead })

	return Can{
		Approve:    p.Waits,
		Cancel:     !p.State.MayBeSigned() && p.State.CanBecome(Cancelled) && !p.exported(),
		Import:     p.waitsForImport(),
		Bump:       sent && head.Change > 0 && !lost && !p.sponsored(),
		CancelSent: (sent || p.State == Cancelling || p.State == Approved && p.exported()) && !lost,
		Sponsor:    p.State == Broadcast && taken.Change > 0,
		GiveUpDead: lost,
	}
}

// waitsForImport reports whether the transaction that waits for its signature was
// handed out.
func (p Payout) waitsForImport() bool {
	a, ok := p.unsigned()

	return ok && a.Exported()
}

// incrementalRate is what a replacement pays for its own relay, in satoshis per
// 1000 vB, on top of the fees of what it replaces (BIP 125, rule 4).
const incrementalRate = 1000

// change runs do on a payout as it was on the screen, as the only pass. The
// error wraps ErrStale, ErrFrozen, ErrCap or ErrNotFound, or is a refusal that
// [Sentence] puts into words.
func (d *Desk) change(ctx context.Context, what string, c Change, allowed func(Can) bool, do func(p pass, one Payout) error) error {
	if c.Actor == "" {
		return fmt.Errorf("%s payout: the actor is missing", what)
	}
	err := d.exclusive(ctx, func() error {
		p, err := d.survey(ctx)
		if err != nil {
			return err
		}
		if err := d.checkFrozen(ctx); err != nil {
			return err
		}
		one, err := d.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if one.Rev != c.Rev || !allowed(one.Can) {
			return ErrStale
		}

		return do(p, one)
	})
	if err != nil {
		return fmt.Errorf("%s payout %d: %w", what, c.ID, err)
	}

	return nil
}

// fee is what a transaction of so many vbytes has to pay, in satoshis, at the
// rate that was asked for. It is at least what replaces transactions that pay
// replaced.
func (d *Desk) fee(ctx context.Context, text string, vsize, replaced int64) (int64, error) {
	least := replaced + perVSize(incrementalRate, vsize)

	if text == "" {
		rate, err := d.feeRate(ctx, d.policy())
		if err != nil && !errors.Is(err, errNoFeeRate) {
			return 0, err
		}

		return max(least, perVSize(rate, vsize)), nil
	}
	rate, err := parseFeeRate(text)
	if err != nil {
		return 0, problemf("Not done: %v.", err)
	}
	fee := perVSize(rate, vsize)
	if fee < least {
		return 0, problemf("Insufficient total fee: %d sats. It takes %d sats, which is %s sat/vB, to replace what was sent.",
			fee, least, formatFeeRate((least*1000+vsize-1)/vsize))
	}

	return fee, nil
}

// deedDetail is what the journal says of a transaction that a person asked for.
func (p Plan) deedDetail() map[string]string {
	return map[string]string{"txid": p.TxID.String(), "fee": strconv.FormatInt(p.Fee, 10)}
}

// perVSize is the fee in satoshis, rounded up, of so many vbytes at a rate in
// satoshis per 1000 vB.
func perVSize(rate, vsize int64) int64 { return (rate*vsize + 999) / 1000 }

// attempt is a transaction that a person asked for, before it is signed.
type attempt struct {
	kind     Kind
	replaces Attempt
	action   string // as the journal has it
	plan     Plan
	psbt     string
	method   string // what stands for the approval of the plan; empty when it needs one of its own
}

// storeAttempt writes an attempt with its coins and its approval and gives the
// payout a new revision, and perhaps a new state. What waited for a signature
// before is overtaken. One that needs an approval of its own waits for it as long
// as a plan does.
func (d *Desk) storeAttempt(ctx context.Context, one Payout, to State, a attempt, c Change) error {
	now := d.now()
	digest := a.plan.Digest()

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := move(ctx, tx.Tx, one, to, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE payout_tx SET state = 'dead' WHERE payout = ? AND state = 'funded'`, one.ID)
		if err != nil {
			return err
		}
		id, err := insertAttempt(ctx, tx, one.ID, a.kind, a.plan, a.psbt)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE payout_tx SET replaces = ?, rev = ?, digest = ?, fee_cap = ?, approved = ? WHERE id = ?`,
			a.replaces.id, a.plan.Rev, digest[:], a.plan.FeeCap, a.method != "", id)
		if err != nil {
			return err
		}
		if a.method == "" {
			_, err = tx.ExecContext(ctx, `UPDATE payout SET expires_at = ? WHERE id = ?`, now.Add(d.policy().Expiry).UnixMilli(), one.ID)
		} else {
			err = insertApproval(ctx, tx, Approval{
				ID: one.ID, Rev: a.plan.Rev, Digest: digest[:], User: c.Actor, Method: a.method, IP: c.IP,
			}, now)
		}
		if err != nil {
			return err
		}

		return d.record(ctx, tx, c.deed(a.action, a.plan.deedDetail()))
	})
	if err != nil {
		return fmt.Errorf("store attempt: %w", err)
	}

	d.log.Info("Payout changed", "payout", one.ID, "kind", a.kind, "txid", a.plan.TxID, "fee", a.plan.Fee, "user", c.Actor)
	one.State = to
	d.changed(one)

	return nil
}
