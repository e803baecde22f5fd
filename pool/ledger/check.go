package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"
)

// Invariants that [Ledger.Check] recomputes.
const (
	InvariantSeal     = "seal"     // every event is sealed
	InvariantChain    = "chain"    // events are numbered without a gap and each hash follows from the one before
	InvariantReversal = "reversal" // a reversing event has exactly the negated postings
	InvariantZero     = "I9"       // postings add up to zero in every event, and so over the whole book
	InvariantCovered  = "I11"      // what is owed is there
	InvariantReplay   = "I12"      // replaying all events from zero gives the balances
	InvariantSum      = "I1"       // fee + donation + reserve + credits of a block are its value
	InvariantSplit    = "I5"       // the frozen weights give the frozen split
	InvariantCoinbase = "coinbase" // what a block has paid by itself is what its coinbase says
	InvariantBlock    = "block"    // a block's reward is in the books exactly as its state says
)

// InvariantError names an invariant of the books that does not hold.
type InvariantError struct {
	Invariant string // one of the constants
	Detail    string // what is wrong, for the operator
}

// Error returns the invariant and the detail.
func (e *InvariantError) Error() string { return e.Invariant + ": " + e.Detail }

// Uncovered reports whether an error of [Ledger.Check] says no more than that miners
// are owed more than there is (I11). The books are right then; what they lack is
// money, which somebody adds or which those who were paid too much work off.
func Uncovered(err error) bool {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return false
	}
	for _, one := range joined.Unwrap() {
		if broken, ok := errors.AsType[*InvariantError](one); !ok || broken.Invariant != InvariantCovered {
			return false
		}
	}

	return true
}

// Check recomputes the books from their first event and every frozen split, on
// one committed state, without holding up writers. The error joins the first
// [*InvariantError] of each kind.
//
// I11 counts only what is owed to miners, not what miners owe, and counts as
// covered what the pool bore in chain fees, and what was booked as lost by hand:
// that the operator has to add to the wallet is no error of the books.
// [Sums.Shortfall] tells it.
func (l *Ledger) Check(ctx context.Context) error {
	c := checker{broken: map[string]bool{}, balances: map[balanceKey]int64{}}
	if err := l.read(ctx, func(tx *sql.Tx) error { return c.run(ctx, tx) }); err != nil {
		return fmt.Errorf("check ledger: %w", err)
	}

	return errors.Join(c.found...)
}

type balanceKey struct {
	account int64
	bucket  string
}

type checker struct {
	found    []error
	broken   map[string]bool
	balances map[balanceKey]int64 // replayed
}

// fail notes the first defect of a kind.
func (c *checker) fail(invariant, format string, args ...any) {
	if c.broken[invariant] {
		return
	}
	c.broken[invariant] = true
	c.found = append(c.found, &InvariantError{invariant, fmt.Sprintf(format, args...)})
}

func (c *checker) run(ctx context.Context, tx *sql.Tx) error {
	for _, part := range []func(context.Context, *sql.Tx) error{c.replay, c.reversals, c.cache, c.blocks} {
		if err := part(ctx, tx); err != nil {
			return err
		}
	}

	return nil
}

// replay walks through events and postings side by side.
func (c *checker) replay(ctx context.Context, tx *sql.Tx) (err error) {
	events, err := tx.QueryContext(ctx, `
		SELECT e.id, e.key, e.kind, e.ref, COALESCE(e.reverses, 0), e.actor, e.at, e.prev_hash, e.hash, s.event IS NOT NULL
		FROM event e LEFT JOIN event_seal s ON s.event = e.id ORDER BY e.id`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()

	rows, err := tx.QueryContext(ctx, `SELECT event, account, bucket, amount FROM posting ORDER BY event, account, bucket`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	postings := postingCursor{rows: rows}

	last, prev := int64(0), make([]byte, 32)
	for events.Next() {
		var e Event
		var id, reverses, at int64
		var stored, hash []byte
		var sealed bool
		if err := events.Scan(&id, &e.Key, &e.Kind, &e.Ref, &reverses, &e.Actor, &at, &stored, &hash, &sealed); err != nil {
			return err
		}
		e.At = time.UnixMilli(at)

		own, strays, err := postings.upTo(id)
		if err != nil {
			return err
		}
		if strays > 0 {
			c.fail(InvariantZero, "%d postings before event %d belong to no event", strays, id)
		}
		c.event(id, e, own, sealed)
		if id != last+1 || !bytes.Equal(stored, prev) || !bytes.Equal(hash, eventHash(prev, id, e, reverses, own)) {
			c.fail(InvariantChain, "event %d (%s) is not what was written after event %d", id, e.Key, last)
		}
		last, prev = id, hash
	}
	if err := events.Err(); err != nil {
		return err
	}

	_, strays, err := postings.upTo(math.MaxInt64)
	if err != nil {
		return err
	}
	if strays > 0 {
		c.fail(InvariantZero, "%d postings after event %d belong to no event", strays, last)
	}

	return rows.Err()
}

// event replays one event.
func (c *checker) event(id int64, e Event, postings []Posting, sealed bool) {
	if !sealed {
		c.fail(InvariantSeal, "event %d (%s) is not sealed", id, e.Key)
	}

	var sum int64
	for _, p := range postings {
		sum += p.Amount
		c.balances[balanceKey{p.Account, p.Bucket}] += p.Amount
	}
	if sum != 0 {
		c.fail(InvariantZero, "event %d (%s) adds up to %d sat", id, e.Key, sum)
	}
}

// postingCursor reads all postings once, in the order of events.
type postingCursor struct {
	rows  *sql.Rows
	ahead bool  // event and next were read but not given out
	event int64 // of next
	next  Posting
	own   []Posting // reused
}

// upTo returns the postings of an event and counts those of missing events
// before it. The slice is valid until the next call.
func (p *postingCursor) upTo(event int64) (own []Posting, strays int, err error) {
	p.own = p.own[:0]
	for {
		if !p.ahead {
			if !p.rows.Next() {
				return p.own, strays, p.rows.Err()
			}
			if err := p.rows.Scan(&p.event, &p.next.Account, &p.next.Bucket, &p.next.Amount); err != nil {
				return nil, 0, err
			}
		}
		if p.ahead = p.event > event; p.ahead {
			return p.own, strays, nil
		}
		if p.event == event {
			p.own = append(p.own, p.next)
		} else {
			strays++
		}
	}
}

// reversals compares each reversing event with what it reverses.
func (c *checker) reversals(ctx context.Context, tx *sql.Tx) error {
	var id int64
	var key string
	err := tx.QueryRowContext(ctx, `
		SELECT r.id, r.key FROM event r
		WHERE r.reverses IS NOT NULL AND EXISTS (
			SELECT 1 FROM posting p WHERE p.event IN (r.id, r.reverses)
			GROUP BY p.account, p.bucket HAVING SUM(p.amount) <> 0)
		ORDER BY r.id LIMIT 1`).Scan(&id, &key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	c.fail(InvariantReversal, "event %d (%s) is not the exact reversal of another", id, key)

	return nil
}

// cache compares the replayed balances with the stored ones and asks whether
// what is owed is there.
func (c *checker) cache(ctx context.Context, tx *sql.Tx) error {
	stored, err := balanceRows(ctx, tx)
	if err != nil {
		return err
	}

	var sums Sums
	seen := make(map[balanceKey]bool, len(stored))
	for _, p := range stored {
		k := balanceKey{p.Account, p.Bucket}
		seen[k] = true
		if p.Amount != c.balances[k] {
			c.fail(InvariantReplay, "account %d %s has %d sat, its postings add up to %d", p.Account, p.Bucket, p.Amount, c.balances[k])
		}
	}
	for k, amount := range c.balances {
		sums.add(Posting{k.account, k.bucket, amount})
		if !seen[k] && amount != 0 {
			c.fail(InvariantReplay, "account %d %s has no balance, its postings add up to %d sat", k.account, k.bucket, amount)
		}
	}

	if missing := sums.Shortfall() - max(0, sums.TxFee) - max(0, -sums.Reserve); missing > 0 {
		c.fail(InvariantCovered, "miners are owed %d sat, %d more than there is", sums.Owed(), missing)
	}

	return nil
}
