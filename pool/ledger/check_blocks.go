package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// blocks recomputes every frozen split and compares every block with the books.
func (c *checker) blocks(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT hash FROM block ORDER BY id`)
	if err != nil {
		return err
	}
	hashes, err := sqlite.Collect(rows, func(rows *sql.Rows) (h chainhash.Hash, err error) { return h, rows.Scan(hashColumn{&h}) })
	if err != nil {
		return err
	}

	for _, h := range hashes {
		b, err := lookUp(ctx, tx, h)
		if err != nil {
			return err
		}
		if b.result.Credits, err = creditsOf(ctx, tx, b.id); err != nil {
			return err
		}
		if err := c.split(ctx, tx, b); err != nil {
			return err
		}
		if err := c.reward(ctx, tx, b); err != nil {
			return err
		}
	}

	return nil
}

// split recomputes a frozen split from its weights.
func (c *checker) split(ctx context.Context, tx *sql.Tx, b blockRow) error {
	if !b.frozen {
		return nil
	}

	sum := b.result.Fee + b.result.Donation + b.result.Reserve
	for _, credit := range b.result.Credits {
		sum += credit.Amount
	}
	if sum != b.value {
		c.fail(InvariantSum, "block %s is worth %d sat and shares out %d", b.hash, b.value, sum)
	}

	rows, err := splitOf(ctx, tx, b.id)
	if err != nil {
		return err
	}
	in := SplitInput{Value: b.value, Terms: b.terms}
	for _, r := range rows {
		in.Weights = append(in.Weights, AccountWeight{Account: r.Account, Score: r.Score})
	}
	again, err := Split(in)
	if err != nil || !again.equal(b.result) {
		c.fail(InvariantSplit, "the weights of block %s give another split", b.hash)
	}

	return nil
}

func (r SplitResult) equal(o SplitResult) bool {
	return r.Fee == o.Fee && r.Donation == o.Donation && r.Reserve == o.Reserve && slices.Equal(r.Credits, o.Credits)
}

// reward compares a block's state with its live events.
func (c *checker) reward(ctx context.Context, tx *sql.Tx, b blockRow) error {
	if b.bookings(b.state) != b.booked {
		c.fail(InvariantBlock, "block %s is %s and its reward is booked as %s", b.hash, b.state, b.booked)
	}

	want := map[string][]Posting{}
	if b.booked != bookedNone {
		want[b.key(KindCredit)] = creditPostings(b.value, b.result)
	}
	if b.booked == bookedPayable {
		want[b.key(KindMature)] = maturePostings(b.value, b.result.Credits)
	}

	live, err := liveEvents(ctx, tx, ref(b.hash))
	if err != nil {
		return err
	}
	if len(live) != len(want) {
		c.fail(InvariantBlock, "block %s is %s and has %d live events", b.hash, b.state, len(live))
	}
	for _, e := range live {
		got, err := postingsOf(ctx, tx, e.id)
		if err != nil {
			return err
		}
		postings, err := normalize(want[e.key])
		if err != nil || !slices.Equal(got, postings) {
			c.fail(InvariantBlock, "event %d (%s) does not book the split of block %s", e.id, e.key, b.hash)
		}
	}

	return nil
}

type liveEvent struct {
	id  int64
	key string
}

// liveEvents returns the rewards of a block that are not reversed.
func liveEvents(ctx context.Context, tx *sql.Tx, ref string) ([]liveEvent, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, key FROM event e
		WHERE ref = ? AND kind IN ('credit', 'mature')
		  AND NOT EXISTS (SELECT 1 FROM event r WHERE r.reverses = e.id)
		ORDER BY id`, ref)
	if err != nil {
		return nil, fmt.Errorf("read live events: %w", err)
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (e liveEvent, err error) { return e, rows.Scan(&e.id, &e.key) })
}
