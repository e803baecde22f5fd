package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Kinds of events.
const (
	KindCredit   = "credit"   // a block entered the main chain
	KindMature   = "mature"   // its coinbase can be spent
	KindOrphan   = "orphan"   // reversal of credit
	KindUnmature = "unmature" // reversal of mature
	KindDirect   = "direct"   // a coinbase pays miners itself: owed, until settle in the same breath
	KindUndirect = "undirect" // reversal of direct
	KindReserve  = "reserve"  // a payout was drafted
	KindRelease  = "release"  // reversal of reserve
	KindSettle   = "settle"   // a payout's transaction is final, or a coinbase has paid
	KindUnsettle = "unsettle" // reversal of settle
	KindFee      = "fee"      // the pool bore the chain fee of a transaction that pays nobody
	KindAdjust   = "adj"      // by hand, with a reason
	KindRule     = "rule"     // an operator set how an account is paid; moves nothing
	KindReversal = "reversal" // of any other kind
)

// Event is something that happened to money.
type Event struct {
	Key   string // unique: the same thing is booked once
	Kind  string
	Ref   string // what it is about: blk:<hash>, pay:<id>
	Actor string // operator's name, or a part of the program
	At    time.Time
}

// Posting moves an amount on one balance. Debit is positive, credit negative:
// what the pool owes a miner is a negative balance, what the wallet holds a
// positive one.
type Posting struct {
	Account int64
	Bucket  string // Pending, Payable or Reserved; "" for the pool's own accounts
	Amount  int64  // sat
}

// Post books an event whose postings add up to zero, links it into the hash
// chain and seals it. Postings on the same balance are added up and zeroes left
// out. It is [ErrPosted] when the key was booked before and [ErrUncovered] when
// a miner's bucket would be overdrawn; after these two the transaction can go on.
func (tx *Tx) Post(ctx context.Context, e Event, postings []Posting) error {
	if err := tx.post(ctx, e, 0, postings); err != nil {
		return fmt.Errorf("book %s: %w", e.Key, err)
	}

	return nil
}

// Reverse books newKey with exactly the negated postings of the event key. It
// may leave a miner with a debt to the pool, which later credits reduce. An
// event is reversed at most once: again is [ErrPosted].
func (tx *Tx) Reverse(ctx context.Context, key, newKey, actor string, at time.Time) error {
	if err := tx.reverse(ctx, key, Event{Key: newKey, Actor: actor, At: at}); err != nil {
		return fmt.Errorf("reverse %s: %w", key, err)
	}

	return nil
}

func (tx *Tx) reverse(ctx context.Context, key string, e Event) error {
	var id int64
	var kind string
	var reversed bool
	err := tx.QueryRowContext(ctx, `
		SELECT id, kind, ref, EXISTS (SELECT 1 FROM event r WHERE r.reverses = e.id)
		FROM event e WHERE key = ?`, key).Scan(&id, &kind, &e.Ref, &reversed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	case reversed:
		return ErrPosted
	}

	e.Kind = reversalOf(kind)

	postings, err := postingsOf(ctx, tx, id)
	if err != nil {
		return err
	}
	for i := range postings {
		postings[i].Amount = -postings[i].Amount
	}

	return tx.post(ctx, e, id, postings)
}

// reversalOf returns the kind of event that takes one of that kind back.
func reversalOf(kind string) string {
	switch kind {
	case KindCredit:
		return KindOrphan
	case KindMature:
		return KindUnmature
	case KindDirect:
		return KindUndirect
	case KindReserve:
		return KindRelease
	case KindSettle:
		return KindUnsettle
	default:
		return KindReversal
	}
}

// post books an event; reverses is 0 for one that is not a reversal.
func (tx *Tx) post(ctx context.Context, e Event, reverses int64, postings []Posting) error {
	postings, err := normalize(postings)
	if err != nil {
		return err
	}

	var posted bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE key = ?)`, e.Key).Scan(&posted); err != nil {
		return err
	}
	if posted {
		return ErrPosted
	}
	if reverses == 0 {
		if err := tx.covered(ctx, postings); err != nil {
			return err
		}
	}

	id, prev := int64(0), make([]byte, 32)
	err = tx.QueryRowContext(ctx, `SELECT id, hash FROM event ORDER BY id DESC LIMIT 1`).Scan(&id, &prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	id++

	_, err = tx.ExecContext(ctx, `
		INSERT INTO event (id, key, kind, ref, reverses, actor, at, prev_hash, hash)
		VALUES (?, ?, ?, ?, NULLIF(?, 0), ?, ?, ?, ?)`,
		id, e.Key, e.Kind, e.Ref, reverses, e.Actor, e.At.UnixMilli(), prev, eventHash(prev, id, e, reverses, postings))
	if err != nil {
		return err
	}

	return tx.seal(ctx, id, postings)
}

// seal inserts the postings of an event and closes it.
func (tx *Tx) seal(ctx context.Context, event int64, postings []Posting) (err error) {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO posting (event, account, bucket, amount) VALUES (?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()

	for _, p := range postings {
		if _, err := insert.ExecContext(ctx, event, p.Account, p.Bucket, p.Amount); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO event_seal (event) VALUES (?)`, event)

	return err
}

// covered refuses to debit a miner's bucket by more than it holds.
func (tx *Tx) covered(ctx context.Context, postings []Posting) error {
	for _, p := range postings {
		if p.Bucket == "" || p.Amount < 0 {
			continue
		}
		balance, err := tx.Balance(ctx, p.Account, p.Bucket)
		if err != nil {
			return err
		}
		if balance+p.Amount > 0 {
			return fmt.Errorf("account %d, %s: %d sat wanted of %d: %w", p.Account, p.Bucket, p.Amount, -balance, ErrUncovered)
		}
	}

	return nil
}

// Balance returns what stands on a balance in sat, debit positive: a miner who
// is owed 5 has -5.
func (tx *Tx) Balance(ctx context.Context, account int64, bucket string) (int64, error) {
	var amount int64
	err := tx.QueryRowContext(ctx, `SELECT amount FROM balance WHERE account = ? AND bucket = ?`, account, bucket).Scan(&amount)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read balance: %w", err)
	}

	return amount, nil
}

// normalize adds up postings on the same balance, leaves out zeroes and sorts
// by account and bucket, the order of the hash.
func normalize(postings []Posting) ([]Posting, error) {
	sorted := slices.Clone(postings)
	slices.SortStableFunc(sorted, func(a, b Posting) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Bucket, b.Bucket))
	})

	var sum int64
	merged := sorted[:0]
	for _, p := range sorted {
		if p.Amount > maxMoney || p.Amount < -maxMoney {
			return nil, fmt.Errorf("%d sat is more than there can be", p.Amount)
		}
		sum += p.Amount
		if n := len(merged); n > 0 && merged[n-1].Account == p.Account && merged[n-1].Bucket == p.Bucket {
			merged[n-1].Amount += p.Amount
			continue
		}
		merged = append(merged, p)
	}
	if sum != 0 {
		return nil, fmt.Errorf("the postings add up to %d sat instead of 0", sum)
	}

	return slices.DeleteFunc(merged, func(p Posting) bool { return p.Amount == 0 }), nil
}

// postingsOf reads the postings of an event in the order of the hash.
func postingsOf(ctx context.Context, q sqlite.Querier, event int64) ([]Posting, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT account, bucket, amount FROM posting WHERE event = ? ORDER BY account, bucket`, event)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (p Posting, err error) {
		return p, rows.Scan(&p.Account, &p.Bucket, &p.Amount)
	})
}

// eventHash is the link of an event in the hash chain. postings are normalized.
func eventHash(prev []byte, id int64, e Event, reverses int64, postings []Posting) []byte {
	decimal := func(n int64) string { return strconv.FormatInt(n, 10) }

	fields := append(make([]string, 0, 8+3*len(postings)),
		"event", decimal(id), e.Key, e.Kind, e.Ref, decimal(reverses), e.Actor, decimal(e.At.UnixMilli()))
	for _, p := range postings {
		fields = append(fields, decimal(p.Account), p.Bucket, decimal(p.Amount))
	}

	return Digest(prev, fields...)
}
