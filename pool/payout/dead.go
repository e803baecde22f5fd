package payout

import (
	"bytes"
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// GiveUpDead ends a payout of which nothing that was signed can confirm any more:
// another transaction has taken its coins, at least six blocks ago, or the blocks
// in which they were earned are no longer in the chain. That is proved anew now,
// with a node that knows the whole chain. Its money is payable again, whether or
// not the wallet still has it.
func (d *Desk) GiveUpDead(ctx context.Context, c Change) error {
	return d.change(ctx, "give up", c, func(can Can) bool { return can.GiveUpDead }, func(p pass, one Payout) error {
		if p.chain.Blocks < p.chain.Headers {
			return problemf("The Bitcoin node is at block %d of %d. What is dead can be told at the end.", p.chain.Blocks, p.chain.Headers)
		}
		all, err := d.look(ctx, one)
		if err != nil {
			return err
		}
		dead, err := d.dead(ctx, one, all)
		if err != nil {
			return err
		}
		if !dead {
			return problemf("A transaction of payout %d can still confirm.", one.ID)
		}

		err = d.ledger.Update(ctx, func(tx *ledger.Tx) error {
			if err := d.release(ctx, tx, one, Failed, c.Actor); err != nil {
				return err
			}

			return d.record(ctx, tx, c.deed("payout.give-up", satsOf(one.Total, nil)))
		})
		if err != nil {
			return err
		}
		d.log.Warn("Payout failed", "payout", one.ID, "sats", one.Total, "txid", one.TxID, "user", c.Actor)
		one.State = Failed
		d.changed(one)

		return nil
	})
}

// dead reports whether no transaction of a payout can confirm.
func (d *Desk) dead(ctx context.Context, one Payout, all []sighting) (bool, error) {
	if _, won := winner(all); won {
		return false, nil
	}
	if overtaken(all) >= undoneDepth {
		return true, nil
	}

	// All of the family spend the same coins.
	for _, in := range one.Inputs {
		if gone, err := d.orphaned(ctx, in.OutPoint.Hash); err != nil || gone {
			return gone, err
		}
	}

	return false, nil
}

// orphaned reports whether a transaction of the wallet has gone with the block in
// which its money was earned, or descends from one that has, or has itself lost
// its coins for good.
func (d *Desk) orphaned(ctx context.Context, txid chainhash.Hash) (bool, error) {
	t, err := d.wallet.WalletTx(ctx, txid)
	switch {
	case node.IsCode(err, node.ErrCodeNotFound):
		return false, nil // not of the wallet: nothing is known
	case err != nil:
		return false, err
	case t.Confirmations > 0:
		return false, nil
	case t.Confirmations <= -undoneDepth:
		return true, nil
	}
	for _, e := range t.Details {
		if e.Category == "orphan" {
			return true, nil
		}
	}

	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(t.Raw)); err != nil {
		return false, fmt.Errorf("read transaction %v: %w", txid, err)
	}
	for _, in := range tx.TxIn {
		if gone, err := d.orphaned(ctx, in.PreviousOutPoint.Hash); err != nil || gone {
			return gone, err
		}
	}

	return false, nil
}

// markDead notes that nothing of a payout can confirm, which allows a person to
// give it up.
func (d *Desk) markDead(ctx context.Context, one Payout) error {
	if one.Can.GiveUpDead {
		return nil
	}
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE payout_tx SET state = 'dead' WHERE payout = ?`, one.ID)
		if err != nil {
			return err
		}

		return move(ctx, tx.Tx, one, one.State, d.now())
	})
	if err != nil {
		return fmt.Errorf("mark as dead: %w", err)
	}

	return nil
}

// stillDead watches a payout that has failed: if its coins come back, so does it.
func (d *Desk) stillDead(ctx context.Context, one Payout, all []sighting) (bool, error) {
	dead, err := d.dead(ctx, one, all)
	switch {
	case err != nil:
		return false, err
	case !dead:
		return true, d.takeBack(ctx, one)
	case overtaken(all) > deep:
		return false, d.endLease(ctx, one.ID)
	}

	return false, nil
}

// conflictProblem says that another transaction spent a coin of the payout.
func conflictProblem(confirmations int32) error {
	return problemf("Another transaction, confirmed %d times, has spent a coin of this payout. "+
		"The money stays reserved until a person has looked at it.", confirmations)
}
