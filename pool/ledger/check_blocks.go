package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
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
	again, err := Split(SplitInput{Value: b.value, Terms: b.terms, Weights: weightsOf(rows)})
	if err != nil || !again.equal(b.result) {
		c.fail(InvariantSplit, "the weights of block %s give another split", b.hash)
	}

	return c.coinbase(ctx, tx, b)
}

func weightsOf(rows []SplitRow) []AccountWeight {
	weights := make([]AccountWeight, len(rows))
	for i, r := range rows {
		weights[i] = AccountWeight{Account: r.Account, Score: r.Score}
	}

	return weights
}

// coinbase compares what a block is said to have paid with its real coinbase.
func (c *checker) coinbase(ctx context.Context, tx *sql.Tx, b blockRow) error {
	booked, err := paymentsOf(ctx, tx, b.id)
	if err != nil {
		return err
	}
	var real []Credit
	if b.terms.PaysMiners() {
		real, err = coinbasePayments(ctx, tx, b, b.result.Credits)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || !slices.Equal(booked, real) {
		c.fail(InvariantCoinbase, "block %s does not pay what is booked: %v", b.hash, cmp.Or(err, errors.New("other miners or amounts")))
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

	r, err := rewardOf(ctx, tx, b)
	if err != nil {
		return err
	}
	want := map[string][]Posting{}
	if b.booked != bookedNone {
		want[b.key(KindCredit)] = r.credit()
	}
	if b.booked != bookedNone && len(r.paid) > 0 {
		want[b.key(KindDirect)], want[b.key(KindSettle)] = r.direct(), r.settle()
	}
	if b.booked == bookedPayable {
		want[b.key(KindMature)] = r.mature()
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
	id        int64
	key, kind string
}

// liveEvents returns the rewards of a block that are not reversed.
func liveEvents(ctx context.Context, tx sqlite.Querier, ref string) ([]liveEvent, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, key, kind FROM event e
		WHERE ref = ? AND kind IN ('credit', 'direct', 'settle', 'mature')
		  AND NOT EXISTS (SELECT 1 FROM event r WHERE r.reverses = e.id)
		ORDER BY id`, ref)
	if err != nil {
		return nil, fmt.Errorf("read live events: %w", err)
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (e liveEvent, err error) { return e, rows.Scan(&e.id, &e.key, &e.kind) })
}
