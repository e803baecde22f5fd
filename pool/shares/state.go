package shares

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
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
type state struct {
	last    int64           // seq of the last share
	shift   shift           // the newest shift
	closed  bool            // whether the next share opens another one
	round   int64           // seq of the last share that found a block
	workers map[rig]int64   // ids
	names   map[string]int  // how many workers an address has
	batch   map[int64]*gain // by worker: what the batch adds to it
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
	s := &state{closed: true, workers: map[rig]int64{}, names: map[string]int{}}

	err := db.QueryRowContext(ctx, `
		SELECT (SELECT coalesce(max(to_seq), 0) FROM shift),
		       (SELECT coalesce(max(id), 0)     FROM shift),
		       (SELECT coalesce(max(seq), 0)    FROM winner)`).Scan(&s.last, &s.shift.id, &s.round)
	if err != nil {
		return nil, fmt.Errorf("read share log: %w", err)
	}

	rows, err := db.QueryContext(ctx, "SELECT id, address, name FROM worker")
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var r rig
		if err := rows.Scan(&id, &r.address, &r.name); err != nil {
			return nil, fmt.Errorf("read workers: %w", err)
		}
		s.workers[r] = id
		s.names[r.address]++
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}

	return s, nil
}

// gain is what a batch adds to a worker.
type gain struct {
	agent           string
	lastMS          int64
	accepted, late  int64
	best, bestRound float64
	bestMS          int64
	round           int64
	part            portion           // of the newest shift
	slots           map[int64]portion // of 10-minute slots
}

// portion is the shares of one worker within some time.
type portion struct {
	work    int64
	sum     float64 // work again, for charts, where it may exceed 63 bits
	n, late int64
}

func (p *portion) add(e entry) {
	p.work += e.Work
	p.sum += float64(e.Work)
	p.n++
	p.late += flag(e.Late)
}

func flag(b bool) int64 {
	if b {
		return 1
	}

	return 0
}

// add stores shares. When it fails the transaction must be rolled back and the state is void.
func (s *state) add(ctx context.Context, tx *sql.Tx, entries []entry) error {
	s.batch = map[int64]*gain{}

	for _, e := range entries {
		if err := s.addShare(ctx, tx, e); err != nil {
			return err
		}
	}

	if err := s.flushShift(ctx, tx); err != nil {
		return err
	}

	return s.flushWorkers(ctx, tx)
}

func (s *state) addShare(ctx context.Context, tx *sql.Tx, e entry) error {
	id, err := s.worker(ctx, tx, e)
	if err != nil {
		return err
	}

	_, err = tx.ExecContext(ctx, `
		INSERT INTO share (seq, at_ms, worker, work, difficulty, achieved, late) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, e.At.UnixMilli(), id, e.Work, e.Difficulty, e.Achieved, flag(e.Late))
	if err != nil {
		return err
	}

	if s.closed || !s.shift.takes(e) {
		if err := s.flushShift(ctx, tx); err != nil {
			return err
		}
		s.shift = shift{id: s.shift.id + 1, from: e.Seq, bits: e.Bits, openedMS: e.At.UnixMilli()}
		s.closed = false
	}
	s.shift.to = e.Seq
	s.shift.endMS = e.At.UnixMilli()
	s.shift.work += e.Work
	s.last = e.Seq
	s.gain(id, e)

	if e.Block == nil {
		return nil
	}

	// A miner that sends its share once more after a restart finds the same block: the first one counts.
	result, err := tx.ExecContext(ctx, `INSERT INTO winner (block, seq) VALUES (?, ?) ON CONFLICT (block) DO NOTHING`, e.Block[:], e.Seq)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n == 1 {
		s.round = e.Seq
		s.closed = true
	}

	return nil
}

// gain adds a share to the sums of its worker.
func (s *state) gain(id int64, e entry) {
	g := s.batch[id]
	if g == nil {
		g = &gain{slots: map[int64]portion{}}
		s.batch[id] = g
	}

	g.agent = e.UserAgent
	g.lastMS = e.At.UnixMilli()
	g.accepted++
	g.late += flag(e.Late)
	if e.Achieved > g.best {
		g.best, g.bestMS = e.Achieved, g.lastMS
	}
	if g.round != s.round {
		g.round, g.bestRound = s.round, 0
	}
	g.bestRound = max(g.bestRound, e.Achieved)

	g.part.add(e)
	slot := floor(e.At.Unix(), tenMinutes)
	p := g.slots[slot]
	p.add(e)
	g.slots[slot] = p
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

// flushShift stores what the batch added to the newest shift.
func (s *state) flushShift(ctx context.Context, tx *sql.Tx) error {
	ids := slices.Sorted(maps.Keys(s.batch))
	ids = slices.DeleteFunc(ids, func(id int64) bool { return s.batch[id].part.n == 0 })
	if len(ids) == 0 {
		return nil
	}

	_, err := tx.ExecContext(ctx, `
		INSERT INTO shift (id, from_seq, to_seq, nbits, opened_ms, last_ms, work) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET to_seq = excluded.to_seq, last_ms = excluded.last_ms, work = excluded.work`,
		s.shift.id, s.shift.from, s.shift.to, s.shift.bits, s.shift.openedMS, s.shift.endMS, s.shift.work)
	if err != nil {
		return err
	}

	for _, id := range ids {
		part := &s.batch[id].part
		_, err := tx.ExecContext(ctx, `
			INSERT INTO shift_work (shift, worker, work, n) VALUES (?, ?, ?, ?)
			ON CONFLICT (shift, worker) DO UPDATE SET work = work + excluded.work, n = n + excluded.n`,
			s.shift.id, id, part.work, part.n)
		if err != nil {
			return err
		}
		*part = portion{}
	}

	return nil
}

// flushWorkers stores what the batch added to the workers and their roll-ups.
func (s *state) flushWorkers(ctx context.Context, tx *sql.Tx) error {
	for _, id := range slices.Sorted(maps.Keys(s.batch)) {
		g := s.batch[id]
		_, err := tx.ExecContext(ctx, `
			UPDATE worker
			SET user_agent = ?2, last_ms = ?3, accepted = accepted + ?4, late = late + ?5,
			    best_ms    = iif(?6 > best, ?7, best_ms), best = max(best, ?6),
			    best_round = iif(?9 > round, ?8, max(best_round, ?8)), round = ?9
			WHERE id = ?1`,
			id, g.agent, g.lastMS, g.accepted, g.late, g.best, g.bestMS, g.bestRound, g.round)
		if err != nil {
			return err
		}

		for slot, p := range g.slots {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO r10m (t, worker, work, accepted, late) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (t, worker) DO UPDATE
				SET work = work + excluded.work, accepted = accepted + excluded.accepted, late = late + excluded.late`,
				slot, id, p.sum, p.n, p.late)
			if err != nil {
				return err
			}
		}
	}

	return nil
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
