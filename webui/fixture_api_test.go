package webui

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance/metrics"
	"github.com/dmpool/dmpool/pool"
)

func (g *golden) Rules() pool.Settings {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings
}

// change changes the settings while requests are answered.
func (g *golden) change(do func(*pool.Settings)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do(&g.settings)
}

func (g *golden) Pulse(context.Context) (pulse, error) {
	if g.fresh {
		return pulse{}, absent("The pool is starting.")
	}
	d := g.dashboard
	return pulse{
		StartedAt: noon.Add(-50 * time.Hour), Serving: d.Serving, Reason: d.Reason, Height: d.Feed.Height,
		Difficulty: d.Feed.Difficulty, Value: d.Feed.Value, Settlement: "ledger", Connections: 3, Users: 2, Live: 96.9e12, ShareRate: 0.31,
		Rates: d.Rates, H6: new(96.1e12), Best: d.Best, Accepted: 111_977, Late: 14, Rejected: 89,
		Reasons: []reasonLine{{"stale", 70}, {"duplicate", 16}, {"low-difficulty", 3}}, LastShare: noon.Add(-3 * time.Second),
		Workers: g.workers, Effort: d.Effort,
	}, nil
}

// Measures are few here: package metrics has the test with all of them.
func (g *golden) Measures() (metrics.Snapshot, error) {
	s := metrics.Snapshot{At: noon, Release: "1.2.0", Network: "practice", Mine: &metrics.Mine{Accepted: 18_511}}
	for _, l := range g.workers {
		s.Workers = append(s.Workers, metrics.Worker{Address: l.Address, Name: l.Name, Work: 1e15, LastShare: noon})
	}
	return s, g.fail
}

func (g *golden) WindowShares(context.Context) *int64 { return new(int64(98_304)) }

// Sessions are those of the workers that are connected, one of them twice.
func (g *golden) Sessions(_ context.Context, address string) ([]sessionLine, error) {
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	var lines []sessionLine
	for _, l := range []sessionLine{
		{"a1000001", bobAddress, "s19", "cgminer/4.11.1", 95.7e12, 1.31e12, at(30 * time.Hour), at(3 * time.Second)},
		{"a1000002", aliceAddress, hostile, `"><script>alert(1)</script>`, 78_300, 0.81, at(9 * time.Hour), at(7 * time.Minute)},
		{"a1000003", aliceAddress, "bitaxe1", "bitaxe/BM1370/v2.9.0", 1.2e12, 2.1e9, at(29 * time.Hour), at(12 * time.Second)},
		{"a1000004", aliceAddress, "bitaxe1", "bitaxe/BM1370/v2.9.0", 0, 0, at(time.Minute), at(time.Minute)},
	} {
		if !g.fresh && (address == "" || address == l.Address) {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

func (g *golden) WorkerHashrates(ctx context.Context, address, _ string, from, to time.Time, step time.Duration) ([]point, error) {
	return g.Hashrates(ctx, address, from, to, step)
}

// AuditEntries are those of the page, with the filters of the real one.
func (g *golden) AuditEntries(ctx context.Context, q auditQuery) (found []auditLine, _ error) {
	all, err := g.Audit(ctx, auditFilter{Actor: q.Actor, Action: q.Action, Before: q.Before, Limit: 1000})
	for _, l := range all {
		if (q.Object == "" || q.Object == l.Object) && !l.At.Before(q.From) && (q.To.IsZero() || l.At.Before(q.To)) && len(found) < q.Limit {
			found = append(found, l)
		}
	}
	return found, err
}

func (g *golden) AuditSums(context.Context) (auditSums, error) {
	return auditSums{
		Total: 3, Failed: 1, Actions: []auditCount{{"login", 1}, {"settings", 1}, {"setup", 1}},
		Oldest: noon.Add(-50 * time.Hour), Newest: noon.Add(-time.Minute),
	}, nil
}

func (g *golden) Mining(context.Context) (miningInfo, error) {
	return miningInfo{
		Blocks: 925001, BlockWeight: new(int64(3_991_212)), BlockTxs: new(int64(3120)), Difficulty: 150.84e12,
		Hashrate: 1.08e21, PooledTxs: 41_200, Chain: "main",
	}, g.fail
}

func (g *golden) CountBlocks(context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, b := range g.blocks {
		counts[b.State]++
	}
	return counts, nil
}

func (g *golden) BlocksAt(_ context.Context, height int32) (lines []blockLine, _ error) {
	for _, b := range g.blocks {
		if b.Height == height {
			lines = append(lines, b)
		}
	}
	return lines, nil
}
