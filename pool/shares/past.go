package shares

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// past keeps the sums over what is normally over and done with, so that an average
// of seven days costs no more than the slot that still grows: the roll-ups before
// that slot, and the rejects before this day. Whoever writes into the past after
// all, as with the last shares of a slot or a spool, makes it forget them.
type past struct {
	reading sync.Mutex // held by whoever reads the sums from the database

	mu      sync.Mutex
	version int // grows with every writing into the past
	kept    *pastSums
}

// pastSums are the sums before a slot and a day. They do not change.
type pastSums struct {
	slot, day int64
	work      map[int64][4]float64       // by worker, for the spans of Rates
	rejected  map[int64]map[string]int64 // by worker and reason; worker 0: strangers
}

// wrote notes that something was stored in a slot, or a day, and that now is not
// over yet.
func (p *past) wrote(slot, ofDay int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest, today := floor(now.Unix(), tenMinutes), floor(now.Unix(), day)
	if p.kept != nil {
		newest, today = max(newest, p.kept.slot), max(today, p.kept.day)
	}
	if slot < newest || ofDay < today {
		p.version++
		p.kept = nil
	}
}

// forget makes the next reader read the sums again.
func (p *past) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	p.kept = nil
}

// at returns the sums as of a slot and a day.
func (p *past) at(ctx context.Context, db *sql.DB, slot, day int64) (*pastSums, error) {
	if kept, _ := p.look(slot, day); kept != nil {
		return kept, nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	kept, version := p.look(slot, day)
	if kept != nil {
		return kept, nil
	}
	s, err := readPast(ctx, db, slot, day)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version == version {
		p.kept = s
	}

	return s, nil
}

func (p *past) look(slot, day int64) (*pastSums, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept != nil && p.kept.slot == slot && p.kept.day == day {
		return p.kept, p.version
	}

	return nil, p.version
}

func readPast(ctx context.Context, db *sql.DB, slot, day int64) (*pastSums, error) {
	s := &pastSums{slot: slot, day: day, work: map[int64][4]float64{}, rejected: map[int64]map[string]int64{}}
	from := spansBefore(slot)
	rows, err := db.QueryContext(ctx, `
		SELECT worker,
		       total(work) FILTER (WHERE t >= ?1), total(work) FILTER (WHERE t >= ?2),
		       total(work) FILTER (WHERE t >= ?3), total(work)
		FROM r10m WHERE t >= ?4 AND t < ?5 GROUP BY worker`, from[0], from[1], from[2], from[3], slot)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var work [4]float64
		if err := rows.Scan(&id, &work[0], &work[1], &work[2], &work[3]); err != nil {
			return nil, err
		}
		s.work[id] = work
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}

	return s, s.readRejects(ctx, db, day)
}

func (s *pastSums) readRejects(ctx context.Context, db *sql.DB, day int64) error {
	rows, err := db.QueryContext(ctx, `SELECT worker, reason, SUM(n) FROM reject WHERE t < ? GROUP BY worker, reason`, day)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, n int64
		var reason string
		if err := rows.Scan(&id, &reason, &n); err != nil {
			return err
		}
		if s.rejected[id] == nil {
			s.rejected[id] = map[string]int64{}
		}
		s.rejected[id][reason] = n
	}

	return rows.Err()
}

// spansBefore is when the spans of [Rates] begin that end in a slot.
func spansBefore(slot int64) (from [4]int64) {
	for i, span := range [4]time.Duration{span10m, span1h, span24h, span7d} {
		from[i] = slot - int64(span/time.Second)
	}

	return from
}
