package payout

import (
	"context"
	"fmt"
	"slices"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// send gives the newest stored transaction of a payout to the node, or first has
// a newer one signed. It can be repeated for ever: the same bytes pay once.
// Whatever the answer is, nothing is rebuilt and nothing is released.
func (d *Desk) send(ctx context.Context, one Payout) (bool, error) {
	unsigned := error(nil)
	if next, ok := one.next(); ok && next.approved {
		unsigned = d.signNext(ctx, one, next)
		if _, problem := Sentence(unsigned); !problem {
			return true, unsigned
		}
	}

	head, ok := one.head()
	if !ok {
		return false, unsigned
	}
	result, refused := d.deliver(ctx, one, head)
	if err := d.noteDelivery(ctx, one, head, result, refused); err != nil {
		return false, err
	}
	if unsigned != nil {
		return false, unsigned
	}

	return result == sent && one.State == Signed, refused
}

// noteDelivery records what the node said of an attempt, if that is new. One that
// it has taken replaces all that were sent before.
func (d *Desk) noteDelivery(ctx context.Context, one Payout, a Attempt, result outcome, refused error) error {
	refusal, _ := Sentence(refused)
	fate, taken := a.Fate, result == sent
	switch {
	case taken:
		fate = FateBroadcast
	case result == noAnswer:
		return nil
	case result == notNow && a.Fate == FateBroadcast:
		fate = FateEvicted
	}
	if fate == a.Fate && refusal == a.Refusal && (one.State != Signed || !taken) {
		return nil
	}

	now := d.now()
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx
			SET state = ?1, last_err = ?2, first_seen = CASE WHEN ?3 THEN COALESCE(first_seen, ?4) ELSE first_seen END
			WHERE id = ?5 AND state = ?6`, fate, refusal, taken, now.UnixMilli(), a.id, a.Fate)
		if err != nil || !taken {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'replaced'
			WHERE payout = ? AND id <> ? AND state IN ('signed', 'broadcast', 'evicted')`, one.ID, a.id)
		if err != nil || one.State != Signed {
			return err
		}

		return move(ctx, tx.Tx, one, Broadcast, now)
	})
	if err != nil {
		return fmt.Errorf("record broadcast: %w", err)
	}
	if !taken || one.State != Signed {
		return nil
	}

	d.log.Info("Payout sent", "payout", one.ID, "sats", one.Total, "txid", a.TxID)
	one.State, one.TxID = Broadcast, &a.TxID
	d.changed(one)

	return nil
}

// deliver gives an attempt to the node. The outcome is sent when the node has it,
// in its mempool or in a block; otherwise the error says what stands in the way.
func (d *Desk) deliver(ctx context.Context, one Payout, a Attempt) (outcome, error) {
	err := d.offer(ctx, a)

	result := sendOutcome(err)
	if _, answered := node.Code(err); answered && result != sent {
		d.log.Warn("Payout not accepted", "payout", one.ID, "txid", a.TxID, "err", err)
	}
	switch result {
	case sent:
		return sent, nil
	case ambiguous:
		if err = d.lookUp(ctx, one, err); err == nil {
			return sent, nil
		}

		return ambiguous, err
	case conflict:
		return conflict, d.rivals(ctx, one, err)
	}

	return result, sendProblem(result, err)
}

// offer asks the node to take a transaction, after asking whether it would.
func (d *Desk) offer(ctx context.Context, a Attempt) error {
	allowed, reason, err := d.wallet.TestAccept(ctx, a.raw)
	if err == nil && !allowed {
		err = &node.RPCError{Method: "testmempoolaccept", Code: node.ErrCodeRejected, Message: reason}
	}
	if err == nil || sendOutcome(err) == sent {
		_, err = d.wallet.SendRaw(ctx, a.raw, a.ownFeeRate())
	}

	return err
}

// ownFeeRate is the transaction's fee rate, rounded up, in sat/vB: the node is
// told to accept no higher one.
func (a Attempt) ownFeeRate() string {
	return formatFeeRate((a.Fee*1000 + a.VSize - 1) / a.VSize)
}

// lookUp resolves the answer that an input is missing or spent. It is also given
// when a transaction of this very payout is confirmed and its outputs are spent
// again, which the next pass sees, and when the blocks in which its coins were
// earned have left the chain.
func (d *Desk) lookUp(ctx context.Context, one Payout, refusal error) error {
	all, err := d.look(ctx, one)
	if err != nil {
		return err
	}
	if _, won := winner(all); won {
		return nil
	}
	if blocks := overtaken(all); blocks > 0 {
		return conflictProblem(blocks)
	}
	dead, err := d.dead(ctx, one, all)
	if err != nil {
		return err
	}
	if dead {
		if err := d.markDead(ctx, one); err != nil {
			return err
		}

		return problemError("A block in which coins of this payout were earned is no longer in the chain, so it cannot confirm. " +
			"The money stays reserved until a person gives the payout up.")
	}

	return problemf("The node says that a coin of this payout is missing or spent: %v. "+
		"The payout is kept and sent again; nothing is given back before it is known what happened.", refusal)
}

// rivals resolves the answer that another transaction in the mempool spends a
// coin of the payout. One of its own family only pays too much to be replaced.
// Any other means that somebody else has the keys.
func (d *Desk) rivals(ctx context.Context, one Payout, refusal error) error {
	spenders, err := d.wallet.Spenders(ctx, one.outPoints())
	if err != nil {
		return err
	}
	for _, txid := range spenders {
		if slices.ContainsFunc(one.Attempts, func(a Attempt) bool { return a.TxID == txid }) {
			continue
		}
		if err := d.freeze(ctx, txid); err != nil {
			return err
		}

		return problemf("Transaction %v, which is none of this pool, spends a coin of this payout.", txid)
	}

	return problemf("What was sent before cannot be replaced: %v. Take a higher fee.", refusal)
}

// sendProblem puts a refusal into words.
func sendProblem(o outcome, err error) error {
	switch o {
	case notNow:
		return problemf("The node does not take the transaction at the moment: %v. It is kept and sent again.", err)
	case refused:
		return problemf("The node refuses the transaction: %v. The money stays reserved; a person has to look.", err)
	}

	return err
}
