package payout

import (
	"context"
	"fmt"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// send gives the stored transaction to the node. It can be repeated for ever:
// the same bytes pay once. Whatever the answer is, nothing is rebuilt and
// nothing is released.
func (d *Desk) send(ctx context.Context, one Payout) (bool, error) {
	if err := d.deliver(ctx, one); err != nil {
		return false, err
	}

	now := d.now()
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'broadcast', first_seen = COALESCE(first_seen, ?), last_err = '' WHERE id = ?`,
			now.UnixMilli(), one.attempt)
		if err != nil {
			return err
		}

		return move(ctx, tx.Tx, one, Broadcast, now)
	})
	if err != nil {
		return false, fmt.Errorf("record broadcast: %w", err)
	}

	d.log.Info("Payout sent", "payout", one.ID, "sats", one.Total, "txid", one.TxID)
	one.State = Broadcast
	d.changed(one)

	return true, nil
}

// deliver returns nil when the node has the transaction, in its mempool or in a
// block, and otherwise what stands in the way.
func (d *Desk) deliver(ctx context.Context, one Payout) error {
	allowed, reason, err := d.wallet.TestAccept(ctx, one.Raw)
	if err == nil && !allowed {
		err = &node.RPCError{Method: "testmempoolaccept", Code: node.ErrCodeRejected, Message: reason}
	}
	if err == nil || sendOutcome(err) == sent {
		_, err = d.wallet.SendRaw(ctx, one.Raw, one.ownFeeRate())
	}

	result := sendOutcome(err)
	if result == sent {
		return nil
	}
	if _, answered := node.Code(err); answered {
		d.log.Warn("Payout not accepted", "payout", one.ID, "txid", one.TxID, "err", err)
	}
	if result == ambiguous {
		return d.lookUp(ctx, one, err)
	}

	return sendProblem(result, err)
}

// ownFeeRate is the transaction's fee rate, rounded up, in sat/vB: the node is
// told to accept no higher one.
func (p Payout) ownFeeRate() string {
	return formatFeeRate((p.Fee*1000 + p.VSize - 1) / p.VSize)
}

// lookUp resolves the answer that an input is missing or spent. It is also given
// when this very transaction is confirmed and its outputs are spent again.
func (d *Desk) lookUp(ctx context.Context, one Payout, refusal error) error {
	tx, err := d.wallet.WalletTx(ctx, *one.TxID)
	switch {
	case err == nil && tx.Confirmations > 0:
		return nil
	case err == nil && tx.Confirmations < 0:
		return conflictProblem(-tx.Confirmations)
	case err != nil && !node.IsCode(err, node.ErrCodeNotFound):
		return err
	}

	return problemf("The node says that a coin of this payout is missing or spent: %v. "+
		"The payout is kept and sent again; nothing is given back before it is known what happened.", refusal)
}

// conflictProblem says that another transaction spent a coin of the payout.
func conflictProblem(confirmations int32) error {
	return problemf("Another transaction, confirmed %d times, has spent a coin of this payout. "+
		"The money stays reserved until a person has looked at it.", confirmations)
}

// sendProblem puts a refusal into words.
func sendProblem(o outcome, err error) error {
	switch o {
	case notNow:
		return problemf("The node does not take the transaction at the moment: %v. It is kept and sent again.", err)
	case conflict:
		return problemf("Another transaction that pays a higher fee spends a coin of this payout: %v.", err)
	case refused:
		return problemf("The node refuses the transaction: %v. The money stays reserved; a person has to look.", err)
	}

	return err
}
