package payout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// FreezeOld stops all payouts of a ledger that comes from a backup made at a time,
// before anything is done with it. The wallet tells of later payouts that are in the
// chain, and [Desk.Advance] freezes because of each; but one that is in no block yet,
// and that this node has not heard of, nobody here can know. Books of which nothing
// can be paid twice ([MayPayTwice]) are not frozen.
func FreezeOld(ctx context.Context, tx *ledger.Tx, made, now time.Time) error {
	may, err := MayPayTwice(ctx, tx)
	if err != nil || !may {
		return err
	}
	err = postFreeze(ctx, tx, freezeOld+strconv.FormatInt(made.Unix(), 10), now)
	if errors.Is(err, ledger.ErrPosted) {
		return nil
	}

	return err
}

// MayPayTwice tells whether old books, such as those of a backup, could pay what was
// paid after their time: when they owe miners something, or will once they have been
// told of a block that they know and that was credited later.
func MayPayTwice(ctx context.Context, q sqlite.Querier) (bool, error) {
	sums, err := ledger.ReadSums(ctx, q)
	if err != nil || sums.Owed() != 0 {
		return err == nil, err
	}
	var waits bool
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM block
		               WHERE state IN ('found', 'unknown', 'stale', 'orphaned') OR state = 'accepted' AND settlement = 'ledger')`).Scan(&waits)
	if err != nil {
		return false, fmt.Errorf("look for blocks that can be credited: %w", err)
	}

	return waits, nil
}
