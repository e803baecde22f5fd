package ledger

import (
	"context"
	"fmt"
)

// Above returns the blocks higher than height that the node once took, lowest
// first and with Raw: what a node that lost its end of the chain has to be given
// again.
func (l *Ledger) Above(ctx context.Context, height int32) ([]Block, error) {
	blocks, err := l.blocks(ctx, selectBlock+`b.raw`+fromBlock+`
		b.height > ? AND b.state IN ('found', 'unknown', 'accepted', 'mature')
		ORDER BY b.height, b.id`, height)
	if err != nil {
		return nil, fmt.Errorf("read blocks above %d: %w", height, err)
	}

	return blocks, nil
}
