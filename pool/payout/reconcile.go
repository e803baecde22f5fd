package payout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// deep is the number of confirmations after which a payout is no longer watched.
const deep = 100

// Reconcile makes ledger, wallet and chain agree after a start: exactly the
// leased coins are locked, every payout that was signed is looked up or sent
// again, and a payment from the wallet that the ledger does not know, or books
// that do not balance, freeze all payouts. [Desk.Advance] begins with it as long
// as it has not worked once.
func (d *Desk) Reconcile(ctx context.Context) error {
	return d.exclusive(ctx, func() error {
		d.reconciled = false
		p, err := d.begin(ctx)
		if err != nil {
			return fmt.Errorf("reconcile payouts: %w", err)
		}

		return d.drive(ctx, p, Signed, Broadcast, Cancelling, Confirmed)
	})
}

// reconcile is done once before the first payout is touched.
func (d *Desk) reconcile(ctx context.Context) error {
	info, err := d.wallet.WalletInfo(ctx)
	if err != nil {
		return err
	}
	d.cold.Store(!info.PrivateKeysEnabled)

	// The ledger knows which coins are promised; the wallet's own locks are a
	// copy, of which a part is lost when the node restarts.
	if err := d.wallet.LockUnspent(ctx, true, nil, false); err != nil {
		return err
	}
	leased, err := leases(ctx, d.db.Reader())
	if err != nil {
		return err
	}
	if err := d.lockCoins(ctx, outPoints(leased)); err != nil {
		return err
	}

	err = d.CheckBooks(ctx)
	if _, wrong := errors.AsType[*ledger.InvariantError](err); wrong {
		return nil // payouts are frozen, and followed
	}

	return err
}

// lockCoins locks coins in the wallet so that the lock survives the node. A coin
// that is spent already, by its payout, cannot be locked and need not be.
func (d *Desk) lockCoins(ctx context.Context, coins []wire.OutPoint) error {
	for _, coin := range coins {
		err := d.wallet.LockUnspent(ctx, false, []wire.OutPoint{coin}, true)
		if err != nil && !node.IsCode(err, node.ErrCodeParameter) {
			return err
		}
	}

	return nil
}

// tidyLocks frees coins that are locked for no payout: what is left of a plan
// that was refused, or given up, or never stored because of a crash. It locks
// those whose lock was lost with the node.
func (d *Desk) tidyLocks(ctx context.Context) error {
	if err := d.endLeases(ctx); err != nil {
		return err
	}
	leased, err := leases(ctx, d.db.Reader())
	if err != nil {
		return err
	}
	locked, err := d.wallet.LockedUnspent(ctx)
	if err != nil {
		return fmt.Errorf("compare locks: %w", err)
	}

	var strays []wire.OutPoint
	for _, coin := range locked {
		if _, ok := leased[coin]; !ok {
			strays = append(strays, coin)
		}
		delete(leased, coin)
	}
	if len(strays) > 0 {
		if err := d.wallet.LockUnspent(ctx, true, strays, false); err != nil && !node.IsCode(err, node.ErrCodeParameter) {
			return fmt.Errorf("unlock coins: %w", err)
		}
	}

	unsent, err := d.List(ctx, Pending, Approved, Signed)
	if err != nil {
		return err
	}
	waiting := make(map[int64]bool, len(unsent))
	for _, p := range unsent {
		waiting[p.ID] = true
	}
	for coin, payout := range leased {
		if !waiting[payout] {
			delete(leased, coin) // spent
		}
	}

	return d.lockCoins(ctx, outPoints(leased))
}

// endLeases ends the leases of payouts that lie too deep to come back, or that
// were cancelled by a transaction which does. A sponsor has to lie as deep.
func (d *Desk) endLeases(ctx context.Context) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM utxo_lease WHERE payout IN (
				SELECT p.id
				FROM utxo_lease l
				JOIN payout p    ON p.id = l.payout
				JOIN payout_tx t ON t.payout = p.id
				WHERE p.state IN ('settled', 'cancelled') AND t.state = 'confirmed' AND t.height <= ?1
				  AND NOT EXISTS (SELECT 1 FROM sponsor s JOIN payout_tx c ON c.id = s.parent
				                  WHERE c.payout = p.id AND s.state <> 'dead' AND (s.height IS NULL OR s.height > ?1)))`,
			d.tip.Load()-deep)

		return err
	})
	if err != nil {
		return fmt.Errorf("end leases: %w", err)
	}

	return nil
}

// endLease ends the leases of one payout.
func (d *Desk) endLease(ctx context.Context, payout int64) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM utxo_lease WHERE payout = ?`, payout)

		return err
	})
	if err != nil {
		return fmt.Errorf("end lease: %w", err)
	}

	return nil
}

// outPoints are the coins of a set of leases, in order.
func outPoints(leased map[wire.OutPoint]int64) []wire.OutPoint {
	coins := make([]wire.OutPoint, 0, len(leased))
	for coin := range leased {
		coins = append(coins, coin)
	}
	slices.SortFunc(coins, compareOutPoints)

	return coins
}
