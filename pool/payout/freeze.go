package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// A freeze is an event without postings in the ledger. That makes it last over a
// restart, puts it into the hash chain, and lets it be lifted by its reversal.
const (
	freezeRef  = "freeze"
	freezeKind = "freeze"
	freezeSend = "freeze:send:" // and the id of a transaction that is no payout
)

// Frozen reports whether payouts are frozen, and why in a sentence. They are
// when money left the wallet that the ledger knows nothing of, which is what an
// old backup of the ledger, a second box on the same wallet, and a thief look
// like; and when the books do not balance. Nothing is then drafted, approved,
// signed, sent or given up. Payouts that were sent are still followed.
func (d *Desk) Frozen(ctx context.Context) (reason string, frozen bool) {
	d.mu.Lock()
	broken := d.broken
	d.mu.Unlock()
	if broken != "" {
		return broken, true
	}

	events, err := d.ledger.Events(ctx, ledger.EventFilter{Ref: freezeRef}, 1000)
	if err != nil {
		return "The ledger cannot be read.", true
	}
	lifted := make(map[int64]bool)
	for _, e := range events { // newest first
		if e.Reverses != 0 {
			lifted[e.Reverses] = true
			continue
		}
		if txid, ok := strings.CutPrefix(e.Key, freezeSend); ok && !lifted[e.ID] {
			return fmt.Sprintf("Transaction %s has spent money of the pool's wallet, but is no payout of this ledger. "+
				"Somebody else uses the wallet, or the ledger was restored from an old backup.", txid), true
		}
	}

	return "", false
}

// checkFrozen is ErrFrozen, with the reason, when payouts are frozen.
func (d *Desk) checkFrozen(ctx context.Context) error {
	if reason, frozen := d.Frozen(ctx); frozen {
		return fmt.Errorf("%w: %s", ErrFrozen, reason)
	}

	return nil
}

// watch looks at what left the wallet since the last look. Only transactions
// whose signature is stored are ours: one that was planned here but is in the
// chain without a signature in the ledger was signed by a ledger newer than this
// one. How far was looked is kept in the ledger's file, so that an old backup of
// it looks from where it was made, however long ago that is.
func (d *Desk) watch(ctx context.Context) error {
	last, err := d.lastLook(ctx)
	if err != nil {
		return err
	}
	since, err := d.wallet.ListSinceBlock(ctx, last)
	if node.IsCode(err, node.ErrCodeNotFound) && last != (chainhash.Hash{}) {
		since, err = d.wallet.ListSinceBlock(ctx, chainhash.Hash{})
	}
	if err != nil {
		return err
	}

	looked := make(map[chainhash.Hash]bool)
	for _, e := range since.Transactions {
		if e.Category != "send" || looked[e.TxID] {
			continue
		}
		looked[e.TxID] = true

		var ours bool
		err := d.db.Reader().QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM payout_tx WHERE txid = ?1) OR EXISTS (SELECT 1 FROM sponsor WHERE txid = ?1)`,
			e.TxID[:]).Scan(&ours)
		if err != nil {
			return fmt.Errorf("look for transaction: %w", err)
		}
		if !ours {
			if err := d.freeze(ctx, e.TxID); err != nil {
				return err
			}
		}
	}
	if since.LastBlock == last {
		return nil
	}

	return d.storeLook(ctx, since.LastBlock)
}

// lastLook is the block up to which the wallet's movements were looked at; the
// zero hash, before the first look, means none.
func (d *Desk) lastLook(ctx context.Context) (block chainhash.Hash, err error) {
	var stored *chainhash.Hash
	err = d.db.Reader().QueryRowContext(ctx, `SELECT block FROM payout_look`).Scan(hashColumn{&stored})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return chainhash.Hash{}, nil
	case err != nil:
		return chainhash.Hash{}, fmt.Errorf("read last look: %w", err)
	}

	return *stored, nil
}

func (d *Desk) storeLook(ctx context.Context, block chainhash.Hash) error {
	err := d.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO payout_look (id, block) VALUES (1, ?)
			ON CONFLICT (id) DO UPDATE SET block = excluded.block`, block[:])

		return err
	})
	if err != nil {
		return fmt.Errorf("store last look: %w", err)
	}

	return nil
}

// freeze stops all payouts because of a transaction that is none of them.
func (d *Desk) freeze(ctx context.Context, txid chainhash.Hash) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		return tx.Post(ctx, ledger.Event{
			Key: freezeSend + txid.String(), Kind: freezeKind, Ref: freezeRef, Actor: "payout", At: d.now(),
		}, nil)
	})
	if errors.Is(err, ledger.ErrPosted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("freeze payouts: %w", err)
	}

	d.log.Error("Unknown payment from the wallet, payouts are frozen", "txid", txid)
	d.frozenEvent(ctx)

	return nil
}

// checkBooks freezes payouts as long as the ledger contradicts itself.
func (d *Desk) checkBooks(ctx context.Context) error {
	err := d.ledger.Check(ctx)
	if _, wrong := errors.AsType[*ledger.InvariantError](err); err != nil && !wrong {
		return err
	}

	d.mu.Lock()
	d.broken = ""
	if err != nil {
		d.broken = fmt.Sprintf("The ledger does not add up: %v.", err)
	}
	d.mu.Unlock()

	if err != nil {
		d.log.Error("Ledger does not add up, payouts are frozen", "err", err)
		d.frozenEvent(ctx)
	}

	return nil
}

// frozenEvent tells the rest of the pool.
func (d *Desk) frozenEvent(ctx context.Context) {
	reason, _ := d.Frozen(ctx)
	d.notify(Event{Problem: reason})
}
