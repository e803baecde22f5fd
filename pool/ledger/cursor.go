package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Cursor returns how far the chain was followed, false when it never was. A
// node whose tip is below it has lost blocks or is still catching up.
func (l *Ledger) Cursor(ctx context.Context) (height int32, hash chainhash.Hash, ok bool, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `SELECT height, hash FROM chain_cursor`).Scan(&height, hashColumn{&hash})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, hash, false, nil
	}
	if err != nil {
		return 0, hash, false, fmt.Errorf("read chain cursor: %w", err)
	}

	return height, hash, true, nil
}

// Reached returns the greatest height that the node has had, as far as the ledger
// knows: the cursor's, or that of a found block which the node took, or got without
// its answer being known. Blocks count that come faster than the cursor moves, but
// not those that the node did not keep although they were submitted again, that are
// off its chain, or that were lost for good ([Ledger.LoseAbove]).
func (l *Ledger) Reached(ctx context.Context) (height int32, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `
		SELECT MAX(COALESCE((SELECT height FROM chain_cursor), 0),
		           COALESCE((SELECT MAX(height) FROM block WHERE state IN ('found', 'accepted', 'mature') AND lost = 0), 0))`).Scan(&height)
	if err != nil {
		return 0, fmt.Errorf("read reached height: %w", err)
	}

	return height, nil
}

// SetCursor remembers how far the chain was followed. It can go back.
func (l *Ledger) SetCursor(ctx context.Context, height int32, hash chainhash.Hash) error {
	err := l.Update(ctx, func(tx *Tx) error { return tx.setCursor(ctx, height, hash) })
	if err != nil {
		return fmt.Errorf("set chain cursor: %w", err)
	}

	return nil
}

// LoseAbove moves the cursor back to the node's tip, and says of the blocks above it
// that nobody has them any more, so that they are not waited for. No money moves, and
// a block of which the node knows the header again is not lost.
func (l *Ledger) LoseAbove(ctx context.Context, height int32, hash chainhash.Hash) error {
	err := l.Update(ctx, func(tx *Tx) error {
		// One that is just found is on its way to the node.
		_, err := tx.ExecContext(ctx, `UPDATE block SET lost = 1 WHERE height > ? AND state IN ('unknown', 'mature')`, height)
		if err != nil {
			return err
		}

		return tx.setCursor(ctx, height, hash)
	})
	if err != nil {
		return fmt.Errorf("lose blocks above %d: %w", height, err)
	}

	return nil
}

func (tx *Tx) setCursor(ctx context.Context, height int32, hash chainhash.Hash) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO chain_cursor (id, height, hash) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET height = excluded.height, hash = excluded.hash`, height, hash[:])

	return err
}
