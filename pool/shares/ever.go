package shares

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"sync"
)

// ever keeps the work of all shifts but the newest, by worker, so that asking again
// reads only what has come since. Exact sums matter here although nobody is paid by
// them: a monitor takes a counter that falls by a rounding error for one that began
// anew, and counts all of it again.
type ever struct {
	mu   sync.Mutex
	upTo int64 // last share of the newest shift that is in work; 0: none is
	work map[int64]*big.Int
}

// WorkEver returns the work of all accepted shares, in expected hashes, by the id of
// the worker. It never falls, over restarts, too. It is as of the last stored sums.
func (l *Log) WorkEver(ctx context.Context) (map[int64]float64, error) {
	sums, err := l.ever.read(ctx, l.db.Reader())
	if err != nil {
		return nil, fmt.Errorf("add up work: %w", err)
	}

	return sums, nil
}

func (e *ever) read(ctx context.Context, db *sql.DB) (map[int64]float64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()

	after, err := e.known(ctx, tx)
	if err != nil {
		return nil, err
	}
	var newest, upTo int64
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM shift`).Scan(&newest)
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT coalesce(max(to_seq), 0) FROM shift WHERE id < ?`, newest).Scan(&upTo)
	}
	if err != nil {
		return nil, err
	}

	closed, err := workBetween(ctx, tx, after, newest)
	if err != nil {
		return nil, err
	}
	newestWork, err := workBetween(ctx, tx, newest-1, newest+1)
	if err != nil {
		return nil, err
	}
	if after == 0 {
		e.work = map[int64]*big.Int{}
	}
	addWork(e.work, closed)
	e.upTo = upTo

	sums := make(map[int64]float64, len(e.work)+len(newestWork))
	for _, part := range []map[int64]*big.Int{e.work, newestWork} {
		for worker := range part {
			sums[worker] = sumOf(e.work[worker], newestWork[worker])
		}
	}

	return sums, nil
}

// known returns the shift up to which the work is known, 0 for none. Where shifts were
// merged over that place since, all is read again.
func (e *ever) known(ctx context.Context, tx *sql.Tx) (shift int64, err error) {
	if e.upTo == 0 {
		return 0, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT id FROM shift WHERE to_seq = ?`, e.upTo).Scan(&shift)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return shift, err
}

// workBetween adds up the shifts between two, without these. Halves of 32 bits keep
// SQLite's sums within 63.
func workBetween(ctx context.Context, tx *sql.Tx, after, before int64) (map[int64]*big.Int, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT worker, SUM(work >> 32), SUM(work & 0xffffffff)
		FROM shift_work WHERE shift > ? AND shift < ? GROUP BY worker`, after, before)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()

	sums := map[int64]*big.Int{}
	for rows.Next() {
		var worker, high, low int64
		if err := rows.Scan(&worker, &high, &low); err != nil {
			return nil, err
		}
		sum := new(big.Int).Lsh(big.NewInt(high), 32)
		sums[worker] = sum.Add(sum, big.NewInt(low))
	}

	return sums, rows.Err()
}

func addWork(to, more map[int64]*big.Int) {
	for worker, work := range more {
		if to[worker] == nil {
			to[worker] = new(big.Int)
		}
		to[worker].Add(to[worker], work)
	}
}

// sumOf adds up what is there of two.
func sumOf(a, b *big.Int) float64 {
	sum := new(big.Int)
	for _, part := range []*big.Int{a, b} {
		if part != nil {
			sum.Add(sum, part)
		}
	}
	f, _ := new(big.Float).SetInt(sum).Float64()

	return f
}
