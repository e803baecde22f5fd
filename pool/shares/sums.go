package shares

import (
	"context"
	"database/sql"
	"maps"
	"slices"
)

// gain is what the tail adds to a worker.
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

// gain adds a share to the sums of its worker.
func (s *state) gain(id int64, e entry) {
	g := s.tail[id]
	if g == nil {
		g = &gain{slots: map[int64]portion{}}
		s.tail[id] = g
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

// flushShift stores what the tail adds to the newest shift.
func (s *state) flushShift(ctx context.Context, tx *sql.Tx) error {
	ids := slices.Sorted(maps.Keys(s.tail))
	ids = slices.DeleteFunc(ids, func(id int64) bool { return s.tail[id].part.n == 0 })
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
		part := &s.tail[id].part
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

// flushWorkers stores what the tail adds to the workers and their roll-ups.
func (s *state) flushWorkers(ctx context.Context, tx *sql.Tx) error {
	for _, id := range slices.Sorted(maps.Keys(s.tail)) {
		g := s.tail[id]
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
			s.flushed = min(s.flushed, slot)
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
