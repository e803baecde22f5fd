package shares

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	maxPoints = 10_000
	minUp     = 60.0 // seconds: a hashrate over less is noise
)

// Query asks for a chart.
type Query struct {
	Address string        // of one account; empty: the whole pool
	Worker  string        // of one worker of that account, by name; empty: all of them
	From    time.Time     // rounded down to a multiple of Step, in UTC
	To      time.Time     // normally now: the step that contains it is unfinished and left out
	Step    time.Duration // a multiple of 10 minutes
}

// Point is the average hashrate from At to At+Step.
type Point struct {
	At       time.Time
	Hashrate float64 // hashes per second; 0 with Known means that nobody mined
	Known    bool    // false when the pool was not running
}

// Hashrate returns the points of a chart, the oldest first, without a gap. A
// point counts the time in which the pool was running. Where the roll-ups are
// coarser than Step, after 8 days, their work is spread evenly.
func (l *Log) Hashrate(ctx context.Context, q Query) ([]Point, error) {
	step := int64(q.Step / time.Second)
	if step <= 0 || step%tenMinutes != 0 || q.Step%time.Second != 0 {
		return nil, fmt.Errorf("chart step %s is not a multiple of 10 minutes", q.Step)
	}
	from, to := floor(q.From.Unix(), step), floor(q.To.Unix(), step)
	if to <= from {
		return nil, nil
	}
	if (to-from)/step > maxPoints {
		return nil, fmt.Errorf("chart of %d points is too long", (to-from)/step)
	}

	c := chart{from: from, to: to, step: step, work: make([]float64, (to-from)/step), up: make([]float64, (to-from)/step)}
	tx, err := l.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("read chart: %w", err)
	}
	defer func() { _ = tx.Rollback() }()

	if err := c.readWork(ctx, tx, q); err != nil {
		return nil, fmt.Errorf("read chart: %w", err)
	}
	if err := c.readUp(ctx, tx); err != nil {
		return nil, fmt.Errorf("read chart: %w", err)
	}

	return c.points(), nil
}

// chart is a chart that is being filled. Times are unix seconds.
type chart struct {
	from, to, step int64
	work           []float64
	up             []float64 // seconds
}

// readWork reads the roll-ups, each table by itself: its rows come in the order of
// their time, so that nothing has to be sorted.
func (c *chart) readWork(ctx context.Context, tx *sql.Tx, q Query) error {
	for _, table := range []struct {
		span  int64
		query string
	}{
		{tenMinutes, `SELECT t, SUM(work) FROM r10m WHERE t > ?1 AND t < ?2 AND (?3 = '' OR worker IN (SELECT id FROM worker WHERE address = ?3 AND (?4 = '' OR name = ?4))) GROUP BY t`},
		{hour, `SELECT t, SUM(work) FROM r1h  WHERE t > ?1 AND t < ?2 AND (?3 = '' OR worker IN (SELECT id FROM worker WHERE address = ?3 AND (?4 = '' OR name = ?4))) GROUP BY t`},
		{day, `SELECT t, SUM(work) FROM r1d  WHERE t > ?1 AND t < ?2 AND (?3 = '' OR worker IN (SELECT id FROM worker WHERE address = ?3 AND (?4 = '' OR name = ?4))) GROUP BY t`},
	} {
		if err := c.readTable(ctx, tx, table.query, table.span, q); err != nil {
			return err
		}
	}

	return nil
}

// readTable reads the rows that reach into the chart, each of which spans so many
// seconds.
func (c *chart) readTable(ctx context.Context, tx *sql.Tx, query string, span int64, q Query) error {
	rows, err := tx.QueryContext(ctx, query, c.from-span, c.to, q.Address, q.Worker)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var t int64
		var work float64
		if err := rows.Scan(&t, &work); err != nil {
			return err
		}
		c.spread(t, span, work)
	}

	return rows.Err()
}

// spread adds work done from t to t+span to the points of that time.
func (c *chart) spread(t, span int64, work float64) {
	for at := max(floor(t, c.step), c.from); at < min(t+span, c.to); at += c.step {
		overlap := min(t+span, at+c.step) - max(t, at)
		c.work[(at-c.from)/c.step] += work * float64(overlap) / float64(span)
	}
}

func (c *chart) readUp(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT t, seconds FROM up WHERE t >= ? AND t < ?`, c.from, c.to)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for rows.Next() {
		var t int64
		var seconds float64
		if err := rows.Scan(&t, &seconds); err != nil {
			return err
		}
		c.up[(t-c.from)/c.step] += seconds
	}

	return rows.Err()
}

func (c *chart) points() []Point {
	points := make([]Point, len(c.work))
	for i := range points {
		points[i].At = time.Unix(c.from+int64(i)*c.step, 0).UTC()
		if c.up[i] >= minUp {
			points[i].Known = true
			points[i].Hashrate = c.work[i] / c.up[i]
		}
	}

	return points
}
