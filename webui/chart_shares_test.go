package webui

import (
	"database/sql"
	"math"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/shares"
)

// What a chart says is what the share log holds: its points, its average, its lowest
// and its highest, and the gaps where the pool was not running.
func TestChartAgreesWithShares(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	log, err := shares.Open(t.Context(), path, shares.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	run := func(query string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for id := 1; id <= 2; id++ {
		run(`INSERT INTO worker (id, address, name, script, user_agent, first_ms, last_ms, accepted, late, best, best_ms, best_round, round)
			VALUES (?, 'a', ?, x'00', '', 0, 0, 1, 0, 1, 0, 1, 0)`, id, id)
	}
	const slots = 24
	from := noon.Truncate(time.Hour)

	rapid.Check(t, func(rt *rapid.T) {
		run(`DELETE FROM r10m`)
		run(`DELETE FROM up`)
		per := rapid.SampledFrom([]int{1, 3, 6}).Draw(rt, "slots in a step")
		work, up := make([]float64, slots), make([]float64, slots)
		for i := range slots {
			at := from.Add(time.Duration(i) * 10 * time.Minute).Unix()
			up[i] = rapid.SampledFrom([]float64{0, 300, 600}).Draw(rt, "up")
			if up[i] > 0 {
				run(`INSERT INTO up VALUES (?, ?)`, at, up[i])
			}
			for worker := 1; worker <= 2; worker++ {
				w := rapid.Float64Range(0, 1e18).Draw(rt, "work")
				work[i] += w
				run(`INSERT INTO r10m VALUES (?, ?, ?, 1, 0)`, at, worker, w)
			}
		}
		step := time.Duration(per) * 10 * time.Minute
		got, err := log.Hashrate(t.Context(), shares.Query{Address: "a", From: from, To: from.Add(slots * 10 * time.Minute), Step: step})
		if err != nil {
			rt.Fatal(err)
		}
		var points []point
		low, high, sum, known := math.Inf(1), math.Inf(-1), 0.0, 0
		for i, p := range got {
			var w, u float64
			for k := i * per; k < (i+1)*per; k++ {
				w, u = w+work[k], u+up[k]
			}
			one := point{At: p.At}
			if p.Known != (u > 0) || p.Known && math.Abs(p.Hashrate-w/u) > 1e-9*(w/u) {
				rt.Fatalf("step %d is %+v, want %v", i, p, w/u)
			}
			if p.Known {
				one.HS = new(p.Hashrate)
				low, high, sum, known = min(low, p.Hashrate), max(high, p.Hashrate), sum+p.Hashrate, known+1
			}
			points = append(points, one)
		}
		c := newChart("c", points, step)
		if c.Missing != time.Duration(len(points)-known)*step || c.HasValue != (known > 0) {
			rt.Fatalf("chart misses %v of %d steps", c.Missing, len(points))
		}
		if known > 0 && (*c.Low != low || *c.High != high || math.Abs(*c.Mean-sum/float64(known)) > 1e-9*high) {
			rt.Fatalf("chart says %v %v %v, want %v %v %v", *c.Low, *c.Mean, *c.High, low, sum/float64(known), high)
		}
	})
}
