package shares

import (
	"context"
	"database/sql"
	"time"
)

// Rates are average hashrates in hashes per second. Each average begins with a
// 10-minute slot, so it covers up to 10 minutes more than its name says, and
// less where the worker is younger or the pool was not running.
type Rates struct{ M10, H1, H24, D7 float64 }

// spans are the lengths of the averages in [Rates].
const (
	span10m = 10 * time.Minute
	span1h  = time.Hour
	span24h = 24 * time.Hour
	span7d  = 7 * 24 * time.Hour
)

// rates is what hashrates are computed from, for each of the four spans.
type rates struct {
	now    time.Time
	up     [4]float64 // seconds in which the pool was running
	before *pastSums
	work   map[int64]float64 // by worker, since then
}

func readRates(ctx context.Context, tx *sql.Tx, before *pastSums, address string, now time.Time) (rates, error) {
	r := rates{now: now, before: before, work: map[int64]float64{}}
	from := spansBefore(before.slot)

	err := tx.QueryRowContext(ctx, `
		SELECT total(seconds) FILTER (WHERE t >= ?1), total(seconds) FILTER (WHERE t >= ?2),
		       total(seconds) FILTER (WHERE t >= ?3), total(seconds)
		FROM up WHERE t >= ?4`, from[0], from[1], from[2], from[3]).Scan(&r.up[0], &r.up[1], &r.up[2], &r.up[3])
	if err != nil {
		return r, err
	}

	rows, err := tx.QueryContext(ctx, `
		SELECT worker, total(work)
		FROM r10m
		WHERE t >= ?1 AND (?2 = '' OR worker IN (SELECT id FROM worker WHERE address = ?2))
		GROUP BY worker`, before.slot, address)
	if err != nil {
		return r, err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var id int64
		var work float64
		if err := rows.Scan(&id, &work); err != nil {
			return r, err
		}
		r.work[id] = work
	}

	return r, rows.Err()
}

// of returns the hashrates of a worker that sent its first share at a time.
func (r rates) of(id int64, first time.Time) Rates {
	work := r.before.work[id]
	for i := range work {
		work[i] += r.work[id]
	}
	age := r.now.Sub(first).Seconds()
	rate := func(i int) float64 { return work[i] / max(minUp, min(r.up[i], age)) }

	return Rates{M10: rate(0), H1: rate(1), H24: rate(2), D7: rate(3)}
}
