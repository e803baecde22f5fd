package shares

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"time"
)

// WorkerStats is what there is to say about a worker.
type WorkerStats struct {
	ID                    int64 // grows in the order of the workers' first accepted shares
	Address, Name         string
	UserAgent             string // of the latest share
	FirstShare, LastShare time.Time
	Accepted              int64            // accepted shares, the late ones included
	Late                  int64            // those for a job of the previous block
	Rejected              map[string]int64 // rejected shares by reason
	BestEver              float64          // highest difficulty achieved
	BestEverAt            time.Time
	BestRound             float64 // the same since the pool's last block
	Hashrate              Rates
}

// Totals sums up the workers of an account, or of the pool.
type Totals struct {
	Workers               int
	FirstShare, LastShare time.Time // zero when there is none
	Accepted, Late        int64
	Rejected              map[string]int64 // for the pool including those who never had a share accepted
	BestEver              float64
	BestEverAt            time.Time
	BestRound             float64
	Hashrate              Rates
}

// Workers returns the workers of an account, or all workers when address is
// empty, in the order of their first accepted shares. Counts are as of the last
// commit, hashrates as of now.
func (l *Log) Workers(ctx context.Context, address string, now time.Time) ([]WorkerStats, error) {
	list, _, err := l.stats(ctx, address, now)
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}

	return list, nil
}

// Totals returns the sums over an account, or over the pool when address is empty.
func (l *Log) Totals(ctx context.Context, address string, now time.Time) (Totals, error) {
	list, strangers, err := l.stats(ctx, address, now)
	if err != nil {
		return Totals{}, fmt.Errorf("read totals: %w", err)
	}

	t := Totals{Rejected: strangers}
	for _, w := range list {
		t.add(w)
	}

	return t, nil
}

func (t *Totals) add(w WorkerStats) {
	t.Workers++
	t.Accepted += w.Accepted
	t.Late += w.Late
	for reason, n := range w.Rejected {
		t.Rejected[reason] += n
	}
	if t.FirstShare.IsZero() || w.FirstShare.Before(t.FirstShare) {
		t.FirstShare = w.FirstShare
	}
	if w.LastShare.After(t.LastShare) {
		t.LastShare = w.LastShare
	}
	if w.BestEver > t.BestEver {
		t.BestEver, t.BestEverAt = w.BestEver, w.BestEverAt
	}
	t.BestRound = max(t.BestRound, w.BestRound)
	t.Hashrate.M10 += w.Hashrate.M10
	t.Hashrate.H1 += w.Hashrate.H1
	t.Hashrate.H24 += w.Hashrate.H24
	t.Hashrate.D7 += w.Hashrate.D7
}

// Exists reports whether a share of this address was ever accepted.
func (l *Log) Exists(ctx context.Context, address string) (bool, error) {
	var found bool
	err := l.db.Reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM worker WHERE address = ?)`, address).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("find address: %w", err)
	}

	return found, nil
}

// stats reads the workers of an account, or all of them, and in that case the
// rejects of those who are no workers yet.
func (l *Log) stats(ctx context.Context, address string, now time.Time) (list []WorkerStats, strangers map[string]int64, err error) {
	before, err := l.past.at(ctx, l.db.Reader(), floor(now.Unix(), tenMinutes), floor(now.Unix(), day))
	if err != nil {
		return nil, nil, err
	}
	tx, err := l.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback() }()

	list, err = readWorkers(ctx, tx, address)
	if err != nil {
		return nil, nil, err
	}

	rates, err := readRates(ctx, tx, before, address, now)
	if err != nil {
		return nil, nil, err
	}
	byID := map[int64]map[string]int64{0: {}}
	for i := range list {
		w := &list[i]
		w.Hashrate = rates.of(w.ID, w.FirstShare)
		byID[w.ID] = w.Rejected
	}
	for id, rejected := range byID {
		if id != 0 || address == "" {
			maps.Copy(rejected, before.rejected[id])
		}
	}

	if err := readRejects(ctx, tx, before.day, address, byID); err != nil {
		return nil, nil, err
	}

	return list, byID[0], nil
}

func readWorkers(ctx context.Context, tx *sql.Tx, address string) ([]WorkerStats, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, address, name, user_agent, first_ms, last_ms, accepted, late, best, best_ms,
		       iif(round = (SELECT coalesce(max(seq), 0) FROM winner), best_round, 0.0)
		FROM worker WHERE ?1 = '' OR address = ?1 ORDER BY id`, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()

	var list []WorkerStats
	for rows.Next() {
		w := WorkerStats{Rejected: map[string]int64{}}
		var first, last, best int64
		err := rows.Scan(&w.ID, &w.Address, &w.Name, &w.UserAgent, &first, &last, &w.Accepted, &w.Late, &w.BestEver, &best, &w.BestRound)
		if err != nil {
			return nil, err
		}
		w.FirstShare, w.LastShare, w.BestEverAt = time.UnixMilli(first), time.UnixMilli(last), time.UnixMilli(best)
		list = append(list, w)
	}

	return list, rows.Err()
}

// readRejects adds the rejects since a day to the maps of their workers. Those of strangers belong to worker 0.
func readRejects(ctx context.Context, tx *sql.Tx, since int64, address string, byID map[int64]map[string]int64) error {
	rows, err := tx.QueryContext(ctx, `
		SELECT worker, reason, SUM(n) FROM reject
		WHERE t >= ?2 AND (?1 = '' OR worker IN (SELECT id FROM worker WHERE address = ?1))
		GROUP BY worker, reason`, address, since)
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
		if byID[id] != nil { // else a worker that has come since
			byID[id][reason] += n
		}
	}

	return rows.Err()
}
