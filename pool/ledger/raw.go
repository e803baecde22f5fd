package ledger

import (
	"context"
	"fmt"
)

// rawDepth is how many blocks beyond its maturity a block lies when its bytes are
// no longer kept: a chain that loses so much of its end does not need ours.
const rawDepth = 1000

// DropRaw empties Raw of the mature blocks that have maturity + 1000 confirmations
// or more at the chain cursor, and returns how many it emptied. All else that is
// known of them stays.
func (l *Ledger) DropRaw(ctx context.Context, maturity int32) (int64, error) {
	tip, _, followed, err := l.Cursor(ctx)
	if err != nil || !followed {
		return 0, err
	}

	var dropped int64
	err = l.Update(ctx, func(tx *Tx) error {
		result, err := tx.ExecContext(ctx, `
			UPDATE block SET raw = x'' WHERE state = 'mature' AND height <= ? AND length(raw) > 0`, tip+1-maturity-rawDepth)
		if err != nil {
			return err
		}
		dropped, err = result.RowsAffected()

		return err
	})
	if err != nil {
		return 0, fmt.Errorf("drop raw blocks: %w", err)
	}

	return dropped, nil
}
