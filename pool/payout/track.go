package payout

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// track compares a payout that was signed with the chain: it notes the block
// that holds one of its transactions, books it when it is deep enough, and takes
// both back when the block is gone. What is unknown changes nothing. As long as
// no block has it, it is sent.
func (d *Desk) track(ctx context.Context, p pass, one Payout) (bool, error) {
	all, err := d.look(ctx, one)
	if err != nil {
		return false, err
	}
	if s, ok := winner(all); ok {
		if s.attempt.Kind == KindCancel {
			return d.cancelConfirmed(ctx, one, s)
		}

		return d.confirmed(ctx, one, s)
	}

	switch one.State {
	case Confirmed, Settled, Cancelled:
		return true, d.takeBack(ctx, one)
	case Failed:
		return d.stillDead(ctx, one, all)
	}
	if blocks := overtaken(all); blocks > 0 {
		if blocks >= undoneDepth {
			err = d.markDead(ctx, one)
		}

		return false, errors.Join(conflictProblem(blocks), err)
	}
	if p.frozen {
		return false, nil
	}

	// In the mempool, forgotten, or never arrived: here it is again. If it is
	// in a block that the wallet has not seen, the node says so; if the block is
	// gone, the wallet has it in the mempool now and the next pass sees that.
	return d.send(ctx, one)
}

// moved reports whether the attempt is in another block than was noted.
func (s sighting) moved() bool {
	return s.attempt.blockHash == nil || *s.attempt.blockHash != *s.block
}

// confirmed notes the block of a payout, and books it once that is deep enough.
func (d *Desk) confirmed(ctx context.Context, one Payout, s sighting) (bool, error) {
	switch one.State {
	case Signed, Broadcast, Cancelling:
		return true, d.storeBlock(ctx, one, Confirmed, s)
	case Cancelled, Failed:
		return true, d.takeBack(ctx, one)
	}
	if s.attempt.TxID != *one.TxID { // of the family, another one is in the chain now
		return true, d.takeBack(ctx, one)
	}
	if s.moved() {
		return true, d.storeBlock(ctx, one, one.State, s)
	}
	if one.State == Confirmed && s.confirmations >= d.policy().ConfirmationsToSettle {
		return true, d.settle(ctx, one)
	}

	return false, nil
}

// storeBlock records the block that holds one transaction of a payout. All others
// of the family are dead by that.
func (d *Desk) storeBlock(ctx context.Context, one Payout, to State, s sighting) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'dead', height = NULL, blockhash = NULL WHERE payout = ? AND id <> ?`,
			one.ID, s.attempt.id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'confirmed', height = ?, blockhash = ?, last_err = '' WHERE id = ?`,
			s.height, s.block[:], s.attempt.id)
		if err != nil || one.State == to {
			return err
		}

		return move(ctx, tx.Tx, one, to, d.now())
	})
	if err != nil {
		return fmt.Errorf("record confirmation: %w", err)
	}

	d.log.Info("Payout confirmed", "payout", one.ID, "kind", s.attempt.Kind, "txid", s.attempt.TxID, "height", s.height)
	one.State, one.TxID = to, &s.attempt.TxID
	d.changed(one)

	return nil
}

// settle books a payout: the reserved amounts are paid, or have left for the cold
// address, and the pool bears what the miners do not bear of the fee.
func (d *Desk) settle(ctx context.Context, one Payout) error {
	postings := make([]ledger.Posting, 0, len(one.Items)+2)
	for _, i := range one.Items {
		postings = append(postings, ledger.Posting{Account: i.Account, Bucket: one.Purpose.bucket(), Amount: i.Amount})
	}
	postings = append(postings,
		ledger.Posting{Account: ledger.PoolTxFee, Amount: one.Fee - shares(one.Items)},
		ledger.Posting{Account: ledger.WalletSpendable, Amount: -(one.Total - shares(one.Items) + one.Fee)})

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		now := d.now()
		if err := move(ctx, tx.Tx, one, Settled, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE payout_item SET live = 0 WHERE payout = ?`, one.ID); err != nil {
			return err
		}

		return numbered(func(n int) error {
			return tx.Post(ctx, ledger.Event{
				Key: settleKey(one.ID, *one.TxID, n), Kind: ledger.KindSettle, Ref: ref(one.ID), Actor: "payout", At: now,
			}, postings)
		})
	})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}

	d.log.Info("Payout settled", "payout", one.ID, "sats", one.Total, "txid", one.TxID)
	one.State = Settled
	d.changed(one)

	return nil
}

// takeBack undoes what was booked because of a block that left the chain: the
// payout is on its way again, its settlement or its release is reversed. Its
// accounts can meanwhile be in another payout, so their items do not become live
// again; one that was paid there owes the pool until this payout is over.
func (d *Desk) takeBack(ctx context.Context, one Payout) error {
	to := Broadcast
	if one.State == Cancelled {
		to = Cancelling
	}

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := move(ctx, tx.Tx, one, to, d.now()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'broadcast', height = NULL, blockhash = NULL WHERE payout = ? AND state = 'confirmed'`, one.ID)
		if err != nil {
			return err
		}

		switch one.State {
		case Settled:
			return d.unsettle(ctx, tx, one)
		case Cancelled:
			return errors.Join(d.unbookFee(ctx, tx, one, one.confirmedCancel()), d.reserveAgain(ctx, tx, one))
		case Failed:
			return d.reserveAgain(ctx, tx, one)
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("take back: %w", err)
	}

	d.log.Warn("Payout left the chain", "payout", one.ID, "sats", one.Total, "txid", one.TxID, "was", one.State)
	one.State, one.Height, one.BlockHash = to, 0, nil
	d.changed(one)

	return nil
}

// unsettle reverses the settlement of a payout.
func (d *Desk) unsettle(ctx context.Context, tx *ledger.Tx, one Payout) error {
	return numbered(func(n int) error {
		return tx.Reverse(ctx, settleKey(one.ID, *one.TxID, n), unsettleKey(one.ID, *one.TxID, n), "payout", d.now())
	})
}

// settleKey and unsettleKey name the n-th settlement of a payout and its
// reversal. There is more than one only after a reorganisation.
func settleKey(id int64, txid chainhash.Hash, n int) string {
	return again(fmt.Sprintf("%s:settle:%v", ref(id), txid), n)
}

func unsettleKey(id int64, txid chainhash.Hash, n int) string {
	return fmt.Sprintf("%s:unsettle:%v:%d", ref(id), txid, n)
}
