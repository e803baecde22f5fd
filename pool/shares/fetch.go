package shares

import (
	"context"
	"database/sql"
	"math/big"
	"slices"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// fetch reads the window from the database: whole shifts, and the shares that
// the sums of the newest one lack.
func (r *running) fetch(ctx context.Context, db *sql.DB, limit *big.Rat) error {
	r.forget()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	r.epochs, r.workers, r.newest = map[uint32]*epoch{}, map[int64]Entry{}, map[int64]int{}
	if err := r.fetchWorkers(ctx, tx); err != nil {
		return err
	}
	if err := r.fetchShifts(ctx, tx, limit); err != nil {
		return err
	}
	if err := r.fetchTail(ctx, tx); err != nil {
		return err
	}
	r.live, r.limit = true, limit

	return nil
}

func (r *running) fetchWorkers(ctx context.Context, q sqlite.Querier) error {
	rows, err := q.QueryContext(ctx, `SELECT id, address, script FROM worker`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var id int64
		var e Entry
		if err := rows.Scan(&id, &e.Address, &e.Script); err != nil {
			return err
		}
		r.workers[id] = e
	}

	return rows.Err()
}

// fetchShifts reads shifts, the newest first, until they reach the limit, and
// then what their workers did.
func (r *running) fetchShifts(ctx context.Context, q sqlite.Querier, limit *big.Rat) error {
	rows, err := q.QueryContext(ctx, `SELECT id, from_seq, to_seq, nbits, opened_ms, work FROM shift ORDER BY id DESC`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	t := newTally(limit)
	r.whole = true
	for rows.Next() {
		if t.full {
			r.whole = false

			break
		}
		var s shift
		if err := rows.Scan(&s.id, &s.from, &s.to, &s.bits, &s.openedMS, &s.work); err != nil {
			return err
		}
		if _, err := t.add(s, nil); err != nil {
			return err
		}
		if _, err := r.epoch(s.bits); err != nil {
			return err
		}
		r.shifts = append(r.shifts, heldShift{shift: s})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	slices.Reverse(r.shifts)
	if len(r.shifts) == 0 {
		return nil
	}

	return r.fetchParts(ctx, q)
}

// fetchParts reads the work of the workers in all held shifts. These are a
// million rows after a year with a hundred workers, so there is no join.
func (r *running) fetchParts(ctx context.Context, q sqlite.Querier) error {
	rows, err := q.QueryContext(ctx, `SELECT shift, worker, work FROM shift_work WHERE shift >= ? ORDER BY shift, worker`, r.shifts[0].id)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	at := 0
	for rows.Next() {
		var id int64
		var p labour
		if err := rows.Scan(&id, &p.worker, &p.work); err != nil {
			return err
		}
		for r.shifts[at].id < id {
			at++
		}
		r.shifts[at].parts = append(r.shifts[at].parts, p)
		r.epochs[r.shifts[at].bits].add(p)
	}
	if err := rows.Err(); err != nil {
		return err
	}

	newest := r.shifts[len(r.shifts)-1]
	r.last = newest.to
	for i, p := range newest.parts {
		r.newest[p.worker] = i
	}

	return nil
}

// fetchTail adds the shares behind the newest shift's sums, which belong to it.
func (r *running) fetchTail(ctx context.Context, q sqlite.Querier) error {
	if len(r.shifts) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, `SELECT seq, worker, work FROM share WHERE seq > ? ORDER BY seq`, r.last)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		a := arrival{shift: r.shifts[len(r.shifts)-1].shift}
		if err := rows.Scan(&a.seq, &a.worker, &a.work); err != nil {
			return err
		}
		r.add(a)
	}

	return rows.Err()
}
