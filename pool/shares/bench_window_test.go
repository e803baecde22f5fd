package shares

import (
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkWindowDay reads a window that holds a day of shifts of 100 workers.
func BenchmarkWindowDay(b *testing.B) {
	l, _ := start(b, filepath.Join(b.TempDir(), "shares.db"), Options{})
	var seq int64
	for minute := range 24 * 60 {
		batch := make([]Share, 100)
		for i := range batch {
			batch[i] = share(fmt.Sprintf("account%d", i), 4, time.Duration(minute)*time.Minute)
		}
		seq = put(b, l, batch...)
	}

	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Window(b.Context(), seq, 2000); err != nil {
			b.Fatal(err)
		}
	}
}

// yearWorkers is how many workers the log of year has.
const yearWorkers = 100

// year makes the log that a start finds after 400 days: shifts of a minute for 48
// hours, of an hour before that, and one network difficulty for every fortnight.
func year(b *testing.B) (l *Log, seq int64) {
	const (
		hours   = 398 * 24
		minutes = 48 * 60
	)
	l, _ = start(b, filepath.Join(b.TempDir(), "shares.db"), Options{})
	for i := range yearWorkers {
		put(b, l, share(fmt.Sprintf("account%d", i), 4, 0))
	}
	change(b, l, `DELETE FROM share`)
	change(b, l, `DELETE FROM shift_work`)
	change(b, l, `DELETE FROM shift`)
	opened := noon.Add(-400 * 24 * time.Hour).UnixMilli()
	change(b, l, `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2)
		INSERT INTO shift (id, from_seq, to_seq, nbits, opened_ms, last_ms, work)
		SELECT i, i * 1000, i * 1000 + 999, 0x17030000 + min(i, ?1) / 336, t, t + 59000, w * ?4
		FROM (SELECT i,
		             ?3 + min(i, ?1) * 3600000 + max(i - ?1, 0) * 60000 AS t,
		             iif(i <= ?1, 60, 1) * 300000000000000 AS w FROM n)`, hours, minutes, opened, yearWorkers)
	change(b, l, `
		INSERT INTO shift_work (shift, worker, work, n)
		SELECT s.id, w.id, s.work / ?, 10 FROM shift s, worker w`, yearWorkers)

	return l, column[int64](b, l, `SELECT max(to_seq) FROM shift`)[0]
}

// BenchmarkWindowYear reads the window of a block from the database.
func BenchmarkWindowYear(b *testing.B) {
	l, seq := year(b)
	b.ReportAllocs()
	for b.Loop() {
		w, err := l.window(b.Context(), seq, big.NewRat(2, 1))
		if err != nil {
			b.Fatal(err)
		}
		if len(w.Entries) != yearWorkers {
			b.Fatalf("%d accounts, want %d", len(w.Entries), yearWorkers)
		}
	}
}

// BenchmarkRunningYear makes the running window anew, as a start does.
func BenchmarkRunningYear(b *testing.B) {
	l, _ := year(b)
	b.ReportAllocs()
	for b.Loop() {
		l.running.lose()
		w, err := l.Running(b.Context(), 2000)
		if err != nil {
			b.Fatal(err)
		}
		if len(w.Entries) != yearWorkers {
			b.Fatalf("%d accounts, want %d", len(w.Entries), yearWorkers)
		}
	}
}
