package shares

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"
)

// reachedShares is how many of the pool's newest shares a [Histogram] looks at: it
// bounds what one costs, however many miners there are.
const reachedShares = 20_000

// Histogram counts shares by the difficulty that they reached. By chance alone each
// bucket has half of the one before it, from the assigned difficulty on.
type Histogram struct {
	From    time.Time     // of the oldest share that was looked at; zero without any
	Shares  int64         // of the account
	Buckets map[int]int64 // by floor(log2(difficulty))
}

// Histogram sums up the shares of an account among the newest of the pool.
func (l *Log) Histogram(ctx context.Context, address string) (Histogram, error) {
	h := Histogram{Buckets: map[int]int64{}}
	if err := l.fillHistogram(ctx, address, &h); err != nil {
		return h, fmt.Errorf("read reached difficulties: %w", err)
	}

	return h, nil
}

func (l *Log) fillHistogram(ctx context.Context, address string, h *Histogram) error {
	tx, err := l.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var from, at sql.NullInt64
	err = tx.QueryRowContext(ctx, `
		WITH newest AS (SELECT seq, at_ms FROM share ORDER BY seq DESC LIMIT ?)
		SELECT min(seq), min(at_ms) FROM newest`, reachedShares).Scan(&from, &at)
	if err != nil || !from.Valid {
		return err
	}
	h.From = time.UnixMilli(at.Int64)

	rows, err := tx.QueryContext(ctx, `
		SELECT achieved FROM share WHERE seq >= ? AND worker IN (SELECT id FROM worker WHERE address = ?)`, from.Int64, address)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var reached float64
		if err := rows.Scan(&reached); err != nil {
			return err
		}
		if reached > 0 {
			h.Buckets[math.Ilogb(reached)]++
			h.Shares++
		}
	}

	return rows.Err()
}
