package shares

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	keepShares = 48 * time.Hour // single shares, and shifts of a minute
	keep10m    = 8 * 24 * time.Hour
	keep1h     = 400 * 24 * time.Hour
	pruneChunk = 5000 // shares deleted in one transaction
)

// Prune forgets what is not needed any longer, seen from now: single shares
// after 48 hours, shifts of a minute, which are merged into shifts of an hour, and
// 10-minute and hourly roll-ups, which are summed up into coarser ones. No work is
// lost: windows that begin and end at shifts stay what they are, and an edge shift
// of an hour is scaled like any other. Prune works in short transactions, so that
// shares are committed meanwhile, and may be ended by ctx at any time.
func (l *Log) Prune(ctx context.Context, now time.Time) error {
	defer l.past.forget()
	if err := l.pruneShares(ctx, now.Add(-keepShares)); err != nil {
		return fmt.Errorf("prune shares: %w", err)
	}
	if err := l.mergeShifts(ctx, now.Add(-keepShares).Truncate(time.Hour)); err != nil {
		return fmt.Errorf("merge shifts: %w", err)
	}
	if err := l.ageHours(ctx, floor(now.Add(-keep10m).Unix(), hour)); err != nil {
		return fmt.Errorf("sum up hours: %w", err)
	}
	if err := l.ageDays(ctx, floor(now.Add(-keep1h).Unix(), day)); err != nil {
		return fmt.Errorf("sum up days: %w", err)
	}

	return nil
}

// DropSingles forgets all single shares but those that the sums still lack,
// however young they are, for a disk that is nearly full: new ones take the place
// of the old in the file, which grows no more for them. Windows of blocks, charts
// and what a crash leaves stay exact, as they stand on the sums; only the list of
// the newest shares gets shorter.
func (l *Log) DropSingles(ctx context.Context) error {
	if err := l.pruneShares(ctx, time.UnixMilli(math.MaxInt64)); err != nil {
		return fmt.Errorf("drop single shares: %w", err)
	}

	return nil
}

// pruneShares deletes the shares of the shifts that ended before a time.
func (l *Log) pruneShares(ctx context.Context, before time.Time) error {
	var seq int64
	err := l.db.Reader().QueryRowContext(ctx, `
		SELECT to_seq FROM shift WHERE last_ms < ? ORDER BY id DESC LIMIT 1`, before.UnixMilli()).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}

	for deleted := int64(pruneChunk); deleted == pruneChunk; {
		err := l.db.Update(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, `
				DELETE FROM share WHERE seq IN (SELECT seq FROM share WHERE seq <= ? ORDER BY seq LIMIT ?)`, seq, pruneChunk)
			if err != nil {
				return err
			}
			deleted, err = result.RowsAffected()

			return err
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// group is a run of shifts that become one, from the first id to the last.
type group struct {
	first, last int64
	to, endMS   int64
	work        int64
}

// mergeShifts makes one shift out of those of each hour that ended before a
// time, as far as nBits are equal and no block was found between them. The newest
// shift is left alone whatever its time: it may still grow.
func (l *Log) mergeShifts(ctx context.Context, before time.Time) error {
	groups, err := l.mergeable(ctx, before)
	if err != nil {
		return err
	}

	for _, g := range groups {
		err := l.db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO shift_work (shift, worker, work, n)
				SELECT ?1, worker, SUM(work), SUM(n) FROM shift_work WHERE shift > ?1 AND shift <= ?2 GROUP BY worker
				ON CONFLICT (shift, worker) DO UPDATE SET work = work + excluded.work, n = n + excluded.n`, g.first, g.last)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM shift_work WHERE shift > ? AND shift <= ?`, g.first, g.last); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM shift WHERE id > ? AND id <= ?`, g.first, g.last); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE shift SET to_seq = ?, last_ms = ?, work = ? WHERE id = ?`, g.to, g.endMS, g.work, g.first)

			return err
		})
		if err != nil {
			return err
		}
		l.running.merge(g)
	}

	return nil
}

// mergeable finds the groups of more than one shift.
func (l *Log) mergeable(ctx context.Context, before time.Time) ([]group, error) {
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT id, to_seq, nbits, opened_ms, last_ms, work, to_seq IN (SELECT seq FROM winner)
		FROM shift
		WHERE opened_ms < ?1
		  AND id < coalesce((SELECT min(id) FROM shift WHERE last_ms >= ?1), (SELECT max(id) FROM shift))
		ORDER BY id`, before.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()

	var groups []group
	var g group
	var last shift // of the group
	var ends bool  // after a block
	finish := func() {
		if g.last > g.first {
			groups = append(groups, g)
		}
	}
	for rows.Next() {
		var s shift
		var winner bool
		if err := rows.Scan(&s.id, &s.to, &s.bits, &s.openedMS, &s.endMS, &s.work, &winner); err != nil {
			return nil, err
		}

		sameHour := floor(s.openedMS/1000, hour) == floor(last.openedMS/1000, hour)
		if ends || !sameHour || s.bits != last.bits || s.work > maxShiftWork-g.work {
			finish()
			g = group{first: s.id}
		}
		g.last, g.to, g.endMS, g.work = s.id, s.to, s.endMS, g.work+s.work
		last, ends = s, winner
	}
	finish()

	return groups, rows.Err()
}

// ageHours moves 10-minute roll-ups before a time, the begin of an hour, into hourly ones.
func (l *Log) ageHours(ctx context.Context, before int64) error {
	const (
		oldest = `SELECT min(t) FROM r10m WHERE t < ?`
		sum    = `
			INSERT INTO r1h (t, worker, work, accepted, late)
			SELECT ?1, worker, SUM(work), SUM(accepted), SUM(late) FROM r10m WHERE t >= ?1 AND t < ?2 GROUP BY worker
			ON CONFLICT (t, worker) DO UPDATE
			SET work = work + excluded.work, accepted = accepted + excluded.accepted, late = late + excluded.late`
		remove = `DELETE FROM r10m WHERE t >= ? AND t < ?`
	)

	return l.age(ctx, before, hour, oldest, sum, remove)
}

// ageDays moves hourly roll-ups before a time, the begin of a day, into daily ones.
func (l *Log) ageDays(ctx context.Context, before int64) error {
	const (
		oldest = `SELECT min(t) FROM r1h WHERE t < ?`
		sum    = `
			INSERT INTO r1d (t, worker, work, accepted, late)
			SELECT ?1, worker, SUM(work), SUM(accepted), SUM(late) FROM r1h WHERE t >= ?1 AND t < ?2 GROUP BY worker
			ON CONFLICT (t, worker) DO UPDATE
			SET work = work + excluded.work, accepted = accepted + excluded.accepted, late = late + excluded.late`
		remove = `DELETE FROM r1h WHERE t >= ? AND t < ?`
	)

	return l.age(ctx, before, day, oldest, sum, remove)
}

// age sums up one step of time after the other and removes what it summed up.
func (l *Log) age(ctx context.Context, before, step int64, oldest, sum, remove string) error {
	for {
		var t sql.NullInt64
		if err := l.db.Reader().QueryRowContext(ctx, oldest, before).Scan(&t); err != nil || !t.Valid {
			return err
		}
		from := floor(t.Int64, step)

		err := l.db.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, sum, from, from+step); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, remove, from, from+step)

			return err
		})
		if err != nil {
			return err
		}
	}
}
