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

// SetCursor remembers how far the chain was followed. It can go back.
func (l *Ledger) SetCursor(ctx context.Context, height int32, hash chainhash.Hash) error {
	err := l.Update(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO chain_cursor (id, height, hash) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET height = excluded.height, hash = excluded.hash`, height, hash[:])

		return err
	})
	if err != nil {
		return fmt.Errorf("set chain cursor: %w", err)
	}

	return nil
}
