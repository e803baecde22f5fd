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
	shiftSpan    = time.Minute
	maxShiftWork = math.MaxInt64 / 2 // 2^62 - 1

	tenMinutes int64 = 600
	hour       int64 = 3600
	day        int64 = 86400
)

// floor returns the greatest multiple of step that is not above t.
func floor(t, step int64) int64 { return t - ((t%step)+step)%step }

// state is what the writer knows of the database without asking it. It runs
// ahead of a transaction that is then rolled back, and is thrown away with it.
//
// The single shares of a batch are always written at once, the sums not always:
// what they lack is the tail, the shares behind the newest shift's to_seq. They
// all belong to that shift, because a batch that opens or ends one writes the
// sums. So a crash loses nothing: load adds the tail up again.
type state struct {
	last    int64           // seq of the last share
	shift   shift           // the newest shift, with the tail
	closed  bool            // whether the next share opens another one
	round   int64           // seq of the last share that found a block
	workers map[rig]int64   // ids
	names   map[string]int  // how many workers an address has
	tail    map[int64]*gain // by worker: what the sums lack
	rows    rows            // single shares on their way into the table
	flushed int64           // the oldest slot of the roll-ups that were written since it was last asked for
	fresh   []arrival       // shares on their way into the running window, once they are committed
}

// A worker is kept for ever, so an address has maxNames of them at most: names
// are cheap to invent. The shares of further ones count under furtherName.
const (
	maxNames    = 256
	furtherName = "further-workers"
)

// rig names a worker.
type rig struct{ address, name string }

// shift is a run of shares that the window treats as one.
type shift struct {
	id, from, to    int64
	bits            uint32
	openedMS, endMS int64
	work            int64
}

// takes says whether a share may join the shift. A clock that was set back ends it as well.
func (s shift) takes(e entry) bool {
	age := time.Duration(e.At.UnixMilli()-s.openedMS) * time.Millisecond

	return e.Bits == s.bits && age.Abs() < shiftSpan && e.Work <= maxShiftWork-s.work
}

// load reads the state. The newest shift is taken for closed: a restart ends it.
func load(ctx context.Context, db *sql.DB) (*state, error) {
	s := &state{closed: true, workers: map[rig]int64{}, names: map[string]int{}, tail: map[int64]*gain{}, flushed: math.MaxInt64}

	err := db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM winner`).Scan(&s.round)
	if err != nil {
		return nil, fmt.Errorf("read share log: %w", err)
	}
	if err := s.loadWorkers(ctx, db); err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	if err := s.loadShift(ctx, db); err != nil {
		return nil, fmt.Errorf("read newest shift: %w", err)
	}
	if err := s.loadTail(ctx, db); err != nil {
		return nil, fmt.Errorf("read newest shares: %w", err)
	}

	return s, nil
}

func (s *state) loadWorkers(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT id, address, name FROM worker")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var id int64
		var r rig
		if err := rows.Scan(&id, &r.address, &r.name); err != nil {
			return err
		}
		s.workers[r] = id
		s.names[r.address]++
	}

	return rows.Err()
}

func (s *state) loadShift(ctx context.Context, db *sql.DB) error {
	h := &s.shift
	err := db.QueryRowContext(ctx, `
		SELECT id, from_seq, to_seq, nbits, opened_ms, last_ms, work FROM shift ORDER BY id DESC LIMIT 1`,
	).Scan(&h.id, &h.from, &h.to, &h.bits, &h.openedMS, &h.endMS, &h.work)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	s.last = h.to

	return err
}

// loadTail adds up the shares that the sums lack.
func (s *state) loadTail(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `
		SELECT s.seq, s.worker, s.at_ms, s.work, s.achieved, s.late, w.user_agent
		FROM share s JOIN worker w ON w.id = s.worker
		WHERE s.seq > ? ORDER BY s.seq`, s.shift.to)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var e entry
		var id, atMS int64
		if err := rows.Scan(&e.Seq, &id, &atMS, &e.Work, &e.Achieved, &e.Late, &e.UserAgent); err != nil {
			return err
		}
		e.At = time.UnixMilli(atMS)
		s.count(id, e)
	}

	return rows.Err()
}

// add stores shares, and with settle the sums as well, which it may find to be
// necessary anyway. When it fails the transaction must be rolled back and the
// state is void.
func (s *state) add(ctx context.Context, tx *sql.Tx, entries []entry, settle bool) error {
	for _, e := range entries {
		border, err := s.addShare(ctx, tx, e)
		if err != nil {
			return err
		}
		settle = settle || border
	}
	if err := s.rows.flush(ctx, tx); err != nil {
		return err
	}
	if !settle {
		return nil
	}

	if err := s.flushShift(ctx, tx); err != nil {
		return err
	}
	if err := s.flushWorkers(ctx, tx); err != nil {
		return err
	}
	clear(s.tail)

	return nil
}

// addShare stores a share. It reports whether that opened or ended a shift.
func (s *state) addShare(ctx context.Context, tx *sql.Tx, e entry) (border bool, err error) {
	id, err := s.worker(ctx, tx, e)
	if err != nil {
		return false, err
	}
	if err := s.rows.add(ctx, tx, id, e); err != nil {
		return false, err
	}

	if s.closed || !s.shift.takes(e) {
		if err := s.flushShift(ctx, tx); err != nil {
			return false, err
		}
		s.shift = shift{id: s.shift.id + 1, from: e.Seq, bits: e.Bits, openedMS: e.At.UnixMilli()}
		s.closed = false
		border = true
	}
	s.count(id, e)
	s.fresh = append(s.fresh, arrival{seq: e.Seq, worker: id, work: e.Work, shift: s.shift, address: e.Address, script: e.Script})

	if e.Block == nil {
		return border, nil
	}

	// A miner that sends its share once more after a restart finds the same block: the first one counts.
	result, err := tx.ExecContext(ctx, `INSERT INTO winner (block, seq) VALUES (?, ?) ON CONFLICT (block) DO NOTHING`, e.Block[:], e.Seq)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, err
	}
	if n == 1 {
		s.round = e.Seq
		s.closed = true
	}

	return true, nil
}

// count adds a share to the newest shift and to the tail.
func (s *state) count(id int64, e entry) {
	s.last = e.Seq
	s.shift.to = e.Seq
	s.shift.endMS = e.At.UnixMilli()
	s.shift.work += e.Work
	s.gain(id, e)
}

// worker returns the id of the share's worker and creates the worker when this is its first share.
func (s *state) worker(ctx context.Context, tx *sql.Tx, e entry) (int64, error) {
	r := rig{e.Address, e.Worker}
	if id, ok := s.workers[r]; ok {
		return id, nil
	}
	if s.names[r.address] >= maxNames && r.name != furtherName {
		e.Worker = furtherName

		return s.worker(ctx, tx, e)
	}

	var id int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO worker (address, name, script, user_agent, first_ms, last_ms, accepted, late, best, best_ms, best_round, round)
		VALUES (?, ?, coalesce(?, x''), '', ?4, ?4, 0, 0, 0, ?4, 0, ?5)
		RETURNING id`, r.address, r.name, e.Script, e.At.UnixMilli(), s.round).Scan(&id)
	if err != nil {
		return 0, err
	}
	s.workers[r] = id
	s.names[r.address]++

	return id, nil
}

// addRejects stores counts of rejected shares.
func (s *state) addRejects(ctx context.Context, tx *sql.Tx, rejects map[reject]int64) error {
	for r, n := range rejects {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO reject (t, worker, reason, n) VALUES (?, ?, ?, ?)
			ON CONFLICT (t, worker, reason) DO UPDATE SET n = n + excluded.n`,
			r.day, s.workers[rig{r.address, r.worker}], r.reason, n)
		if err != nil {
			return err
		}
	}

	return nil
}
