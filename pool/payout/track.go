package payout

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// track compares a payout that was sent with the chain: it notes the block that
// holds it, books it when it is deep enough, and takes both back when the block
// is gone. What is unknown changes nothing.
func (d *Desk) track(ctx context.Context, p pass, one Payout) (bool, error) {
	tx, err := d.wallet.WalletTx(ctx, *one.TxID)
	if err != nil && !node.IsCode(err, node.ErrCodeNotFound) {
		return false, err
	}

	known := err == nil
	switch {
	case known && tx.Confirmations > 0 && tx.BlockHash != nil:
		return d.confirmed(ctx, one, tx)
	case known && tx.Confirmations <= 0 && one.State != Broadcast:
		return true, d.takeBack(ctx, one)
	case known && tx.Confirmations < 0:
		return false, conflictProblem(-tx.Confirmations)
	case p.frozen:
		return false, nil
	}

	// In the mempool, forgotten, or never arrived: here it is again. If it is
	// in a block that the wallet has not seen, the node says so; if the block is
	// gone, the wallet has it in the mempool now and the next pass sees that.
	return false, d.deliver(ctx, one)
}

// confirmed notes the block of a payout, and books it once that is deep enough.
func (d *Desk) confirmed(ctx context.Context, one Payout, tx node.WalletTx) (bool, error) {
	if one.State == Broadcast {
		return true, d.storeBlock(ctx, one, tx.BlockHeight, *tx.BlockHash)
	}
	if one.BlockHash == nil || *one.BlockHash != *tx.BlockHash {
		if err := d.storeBlock(ctx, one, tx.BlockHeight, *tx.BlockHash); err != nil {
			return false, err
		}
	}
	if one.State == Confirmed && tx.Confirmations >= d.policy().ConfirmationsToSettle {
		return true, d.settle(ctx, one)
	}

	return false, nil
}

// storeBlock records the block that holds the transaction.
func (d *Desk) storeBlock(ctx context.Context, one Payout, height int32, hash chainhash.Hash) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'confirmed', height = ?, blockhash = ?, last_err = '' WHERE id = ?`,
			height, hash[:], one.attempt)
		if err != nil || one.State != Broadcast {
			return err
		}

		return move(ctx, tx.Tx, one, Confirmed, d.now())
	})
	if err != nil {
		return fmt.Errorf("record confirmation: %w", err)
	}

	d.log.Info("Payout confirmed", "payout", one.ID, "txid", one.TxID, "height", height)
	if one.State == Broadcast {
		one.State = Confirmed
	}
	d.changed(one)

	return nil
}

// settleKey and unsettleKey name the n-th settlement of a payout and its
// reversal. There is more than one only after a reorganisation.
func settleKey(one Payout, n int) string {
	key := fmt.Sprintf("%s:settle:%v", ref(one.ID), one.TxID)
	if n > 0 {
		key = fmt.Sprintf("%s:%d", key, n)
	}

	return key
}

func unsettleKey(one Payout, n int) string {
	return fmt.Sprintf("%s:unsettle:%v:%d", ref(one.ID), one.TxID, n)
}

// settle books a payout: the reserved amounts are paid, and the pool bears what
// the miners do not bear of the fee.
func (d *Desk) settle(ctx context.Context, one Payout) error {
	postings := make([]ledger.Posting, 0, len(one.Items)+2)
	for _, i := range one.Items {
		postings = append(postings, ledger.Posting{Account: i.Account, Bucket: ledger.Reserved, Amount: i.Amount})
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

		// That the state was Confirmed says that every earlier settlement has
		// been reversed, so a key that is taken belongs to one of those.
		for n := 0; ; n++ {
			err := tx.Post(ctx, ledger.Event{
				Key: settleKey(one, n), Kind: ledger.KindSettle, Ref: ref(one.ID), Actor: "payout", At: now,
			}, postings)
			if !errors.Is(err, ledger.ErrPosted) {
				return err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}

	d.log.Info("Payout settled", "payout", one.ID, "sats", one.Total, "txid", one.TxID)
	one.State = Settled
	d.changed(one)

	return nil
}

// takeBack returns a payout whose block left the chain to Broadcast and reverses
// its settlement. Its accounts can meanwhile be in another payout, so their items
// do not become live again.
func (d *Desk) takeBack(ctx context.Context, one Payout) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		now := d.now()
		if err := move(ctx, tx.Tx, one, Broadcast, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE payout_tx SET state = 'broadcast', height = NULL, blockhash = NULL WHERE id = ?`, one.attempt)
		if err != nil || one.State != Settled {
			return err
		}

		for n := 0; ; n++ {
			err := tx.Reverse(ctx, settleKey(one, n), unsettleKey(one, n), "payout", now)
			if !errors.Is(err, ledger.ErrPosted) {
				return err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("take back: %w", err)
	}

	d.log.Warn("Payout left the chain", "payout", one.ID, "sats", one.Total, "txid", one.TxID, "was", one.State)
	one.State, one.Height, one.BlockHash = Broadcast, 0, nil
	d.changed(one)

	return nil
}
