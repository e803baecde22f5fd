package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// actor of the events that follow from the chain.
const chainActor = "chain"

// blockRow is what the writers need of a block.
type blockRow struct {
	standing

	id           int64
	hash         chainhash.Hash
	foundAt      time.Time
	value        int64
	terms        Terms
	submitResult string
	winnerSeq    int64
	result       SplitResult // without credits
}

// lookUp reads a block, or returns ErrNotFound.
func lookUp(ctx context.Context, q sqlite.Querier, hash chainhash.Hash) (blockRow, error) {
	b := blockRow{hash: hash}
	var found int64
	err := q.QueryRowContext(ctx, `
		SELECT id, found_at, value, settlement, fee_bps, donation_bps, window_milli, underfill,
		       state, booked, flips, winner_seq IS NOT NULL, COALESCE(winner_seq, 0), COALESCE(submit_result, ''),
		       COALESCE(fee, 0), COALESCE(donation, 0), COALESCE(reserve, 0)
		FROM block WHERE hash = ?`, hash[:]).Scan(
		&b.id, &found, &b.value, &b.terms.Settlement, &b.terms.FeeBps, &b.terms.DonationBps, &b.terms.WindowMilli, &b.terms.Underfill,
		&b.state, &b.booked, &b.flips, &b.frozen, &b.winnerSeq, &b.submitResult,
		&b.result.Fee, &b.result.Donation, &b.result.Reserve)
	if errors.Is(err, sql.ErrNoRows) {
		return b, ErrNotFound
	}
	b.foundAt = time.UnixMilli(found)

	return b, err
}

// Observe takes what the node says about a block and moves its state and its
// reward in one transaction. It goes one arrow at a time and costs only a read
// when nothing changes. Observing the same again is harmless.
func (l *Ledger) Observe(ctx context.Context, hash chainhash.Hash, o Observation) (Transition, error) {
	t, err := l.observe(ctx, hash, o)
	if err != nil {
		return Transition{}, fmt.Errorf("observe block %s: %w", hash, err)
	}

	return t, nil
}

func (l *Ledger) observe(ctx context.Context, hash chainhash.Hash, o Observation) (t Transition, err error) {
	if o.Maturity < 1 {
		return t, fmt.Errorf("a maturity of %d blocks is not one", o.Maturity)
	}

	b, err := lookUp(ctx, l.db.Reader(), hash)
	if err != nil || b.next(o) == b.state {
		return Transition{From: b.state, To: b.state}, err
	}

	err = l.Update(ctx, func(tx *Tx) error {
		b, err := lookUp(ctx, tx, hash)
		if err != nil {
			return err
		}
		t = Transition{From: b.state, To: b.next(o)}

		return tx.move(ctx, b, t.To, o, l.now())
	})

	return t, err
}

// move takes a block to a state: the reward first, then the row, compare-and-set.
func (tx *Tx) move(ctx context.Context, b blockRow, to State, o Observation, at time.Time) error {
	booked, flips := b.bookings(to), b.flips

	var err error
	switch {
	case booked == b.booked:
	case booked == bookedNone:
		flips++
		err = tx.takeBack(ctx, b, at)
	case b.booked == bookedNone:
		err = tx.credit(ctx, b, at)
	default:
		err = tx.mature(ctx, b, at)
	}
	if err != nil {
		return err
	}

	conf := sql.NullInt32{Int32: o.Confirmations, Valid: o.Known}

	return expectRow(tx.ExecContext(ctx, `
		UPDATE block SET state = ?, booked = ?, flips = ?, last_conf = ?, lost = lost AND NOT ?
		WHERE id = ? AND state = ? AND booked = ? AND flips = ?`,
		to, booked, flips, conf, o.Known, b.id, b.state, b.booked, b.flips))
}

// key names an event of a block. It has the number of flips, because a block
// can leave the main chain and come back.
func (b blockRow) key(kind string) string {
	return fmt.Sprintf("%s:%s:%d", ref(b.hash), kind, b.flips)
}

func (b blockRow) event(kind string, at time.Time) Event {
	return Event{Key: b.key(kind), Kind: kind, Ref: ref(b.hash), Actor: chainActor, At: at}
}

// credit books the reward as pending, and what the coinbase pays by itself as
// owed and settled at once.
func (tx *Tx) credit(ctx context.Context, b blockRow, at time.Time) error {
	r, err := rewardOf(ctx, tx, b)
	if err != nil {
		return err
	}
	if err := tx.Post(ctx, b.event(KindCredit, at), r.credit()); err != nil || len(r.paid) == 0 {
		return err
	}
	if err := tx.Post(ctx, b.event(KindDirect, at), r.direct()); err != nil {
		return err
	}

	return tx.Post(ctx, b.event(KindSettle, at), r.settle())
}

// mature makes the reward payable.
func (tx *Tx) mature(ctx context.Context, b blockRow, at time.Time) error {
	r, err := rewardOf(ctx, tx, b)
	if err != nil {
		return err
	}

	return tx.Post(ctx, b.event(KindMature, at), r.mature())
}

// takeBack reverses the live events of the reward, the last one first.
func (tx *Tx) takeBack(ctx context.Context, b blockRow, at time.Time) error {
	live, err := liveEvents(ctx, tx, ref(b.hash))
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(live) {
		if err := tx.Reverse(ctx, e.key, b.key(reversalOf(e.kind)), chainActor, at); err != nil {
			return err
		}
	}

	return nil
}

// expectRow makes a compare-and-set of an UPDATE: exactly one row must have been met.
func expectRow(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return ErrConflict
	}

	return nil
}
