package payout

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// Bump has a payout that does not confirm replaced (BIP 125) by one with a
// higher fee: the same coins, the same amounts to the same miners, and less
// change. The next [Desk.Advance] signs and sends it; whichever of the two gets
// into a block settles the payout.
//
// Within the fee that was approved, this call is enough. A higher fee, up to what
// the policy allows now, waits for an approval of its own: the payout has then a
// new revision and a new digest, and Can.Approve is set. Without one in time the
// higher fee lapses, and the payout is as it was.
func (d *Desk) Bump(ctx context.Context, c Change) error {
	return d.change(ctx, "bump", c, func(can Can) bool { return can.Bump }, func(_ pass, one Payout) error {
		head, _ := one.head()
		base, err := d.through(ctx, one, head)
		if err != nil {
			return err
		}
		plan, err := base.approved()
		if err != nil {
			return err
		}
		if err := d.checkDescendants(ctx, one); err != nil {
			return err
		}

		fee, err := d.fee(ctx, c.FeeRate, head.VSize, one.highestFee())
		if err != nil {
			return err
		}
		a := attempt{kind: KindBump, replaces: head, action: "payout.bump", method: "bump"}
		if a.plan, a.psbt, err = plan.raised(base.PSBT, fee); err != nil {
			return err
		}
		a.plan.Rev = one.Rev + 1
		highest := d.policy().feeCap(one.Total)
		if fee > highest {
			return fmt.Errorf("%w: the network fee of %d sats, at most %d sats are allowed", ErrCap, fee, highest)
		}
		if fee > a.plan.FeeCap {
			a.plan.FeeCap, a.method = highest, ""
		}

		return d.storeAttempt(ctx, one, one.State, a, c)
	})
}

// approveBump writes an approval of a fee that is higher than what was approved
// before, and reports whether it was the last one needed. The amounts are the same.
func (d *Desk) approveBump(ctx context.Context, tx *ledger.Tx, p Payout, asked Attempt, a Approval) (decided bool, err error) {
	now, policy := d.now(), d.policy()

	if !p.Can.Approve || p.Rev != a.Rev || !bytes.Equal(asked.Digest, a.Digest) {
		return false, ErrStale
	}
	if !now.Before(p.ExpiresAt) {
		return false, ErrExpired
	}
	bump, err := d.through(ctx, p, asked)
	if err != nil {
		return false, err
	}
	plan, err := bump.plan(asked.rev)
	if err != nil {
		return false, err
	}
	if highest := policy.feeCap(p.Total); plan.Fee > highest {
		return false, fmt.Errorf("%w: the network fee of %d sats, at most %d sats are allowed", ErrCap, plan.Fee, highest)
	}

	// The payout can have a newer revision than its bump was planned for, when
	// the node took what was sent before.
	a.Rev = asked.rev
	if decided, err = p.addApproval(ctx, tx, a, policy, now); err != nil || !decided {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE payout_tx SET approved = 1 WHERE id = ?`, asked.id); err != nil {
		return false, fmt.Errorf("approve bump: %w", err)
	}

	return true, move(ctx, tx.Tx, p, p.State, now)
}

// lapse gives up a higher fee that nobody has approved in time. It was never signed,
// so nothing else changes.
func (d *Desk) lapse(ctx context.Context, one Payout, asked Attempt) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE payout_tx SET state = 'dead' WHERE id = ?`, asked.id)
		if err != nil {
			return err
		}

		return move(ctx, tx.Tx, one, one.State, d.now())
	})
	if err != nil {
		return fmt.Errorf("let bump lapse: %w", err)
	}

	d.log.Info("Higher fee not approved in time", "payout", one.ID, "fee", asked.Fee)
	d.changed(one)

	return nil
}

// checkDescendants refuses to replace a transaction of which somebody, most
// likely a miner who was paid, has spent an output: their payment would be lost.
func (d *Desk) checkDescendants(ctx context.Context, one Payout) error {
	for _, a := range one.Attempts {
		if !a.inPlay() {
			continue
		}
		n, err := d.wallet.Descendants(ctx, a.TxID)
		switch {
		case node.IsCode(err, node.ErrCodeNotFound):
		case err != nil:
			return err
		case n > 0:
			return problemf("Transaction has descendants in the mempool: %d transactions already spend what this payout pays. "+
				"Instead of replacing it, let its change pay for it.", n)
		}
	}

	return nil
}

// raised is the plan with a higher fee, which its change bears.
func (p Plan) raised(text string, fee int64) (Plan, string, error) {
	packet, err := decodePSBT(text)
	if err != nil {
		return Plan{}, "", err
	}
	rest, err := unplanned(packet.UnsignedTx, p.Items)
	if err != nil {
		return Plan{}, "", err
	}

	change := p.Change - (fee - p.Fee)
	if len(rest) != 1 || change < dustLimit(p.ChangeScript) {
		return Plan{}, "", problemf("The change of this payout is %d sats: too little to bear a fee of %d sats instead of %d.",
			p.Change, fee, p.Fee)
	}
	rest[0].Value = change
	p.Change, p.Fee, p.TxID = change, fee, packet.UnsignedTx.TxHash()

	text, err = packet.B64Encode()
	if err != nil {
		return Plan{}, "", fmt.Errorf("write psbt: %w", err)
	}

	return p, text, nil
}
