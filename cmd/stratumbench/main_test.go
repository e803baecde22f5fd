package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

// TestMain lets the test binary be a server process as well: a benchmark starts
// itself anew for each server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "stratumbench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestReport measures very little of everything and looks at the shape of what
// comes out.
func TestReport(t *testing.T) {
	p := plan{
		miners: 3, loop: 50 * time.Millisecond, warmUp: 10 * time.Millisecond, rate: 200,
		crowds: []int{2, 4}, idle: 10 * time.Millisecond, tips: 2, txs: 6, dir: t.TempDir(),
	}
	results := map[string]figures{}
	for _, name := range []string{"echo", "dmpool"} {
		f, err := measure(t.Context(), name, p)
		if err != nil {
			t.Fatalf("measure %s: %v", name, err)
		}
		results[name] = f
		wantShape(t, name, f, p)
	}
	signals := 0.0
	for _, watcher := range []string{"zmq", "long_poll", "poll", "interval"} {
		signals += results["dmpool"]["tip_full_4_by_"+watcher]
	}
	if signals != float64(p.tips) {
		t.Errorf("%g of %d tips were signalled by a watcher: %v", signals, p.tips, results["dmpool"])
	}
	template, first := results["dmpool"]["tip_full_4_seen_to_template_ms"], results["dmpool"]["tip_full_4_seen_to_first_ms"]
	if template <= 0 || first <= 0 {
		t.Errorf("template after %g ms, first job after %g ms", template, first)
	}
	if left, err := os.ReadDir(p.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	out := report(results, p)
	if _, err := json.Marshal(out); err != nil {
		t.Error(err)
	}
	ratio, ok := out["dmpool_to_echo"].(figures)
	if !ok || ratio["closed_per_s"] <= 0 || ratio["storm_4_ms"] <= 0 {
		t.Errorf("dmpool_to_echo = %v", out["dmpool_to_echo"])
	}
}

// wantShape checks that every figure is there, and those that must be in order.
func wantShape(t *testing.T, name string, f figures, p plan) {
	t.Helper()
	growing := [][]string{{"closed_p50_ms", "closed_p99_ms", "closed_p999_ms"}, {"open_p50_ms", "open_p99_ms", "open_p999_ms"}}
	present := []string{"closed_per_s", "closed_cpu_us", "closed_cpu_share", "rejected", "idle_cpu_percent"}
	for _, count := range p.crowds {
		for _, kind := range []string{"tip", "tip_full"} {
			var points []string
			for _, point := range []string{"first", "median", "p99", "last"} {
				points = append(points, fmt.Sprintf("%s_%d_%s_ms", kind, count, point))
			}
			growing = append(growing, points)
		}
		present = append(present, fmt.Sprintf("rss_%d_kib", count), fmt.Sprintf("heap_%d_kib", count), fmt.Sprintf("storm_%d_ms", count))
		if key := fmt.Sprintf("storm_%d_failed", count); f[key] != 0 {
			t.Errorf("%s: %s = %g", name, key, f[key])
		}
	}
	for _, keys := range growing {
		present = append(present, keys...)
		for i := 1; i < len(keys); i++ {
			if f[keys[i]] < f[keys[i-1]] {
				t.Errorf("%s: %s = %g, but %s = %g", name, keys[i], f[keys[i]], keys[i-1], f[keys[i-1]])
			}
		}
	}
	for _, key := range present {
		if value, ok := f[key]; !ok || math.IsNaN(value) || math.IsInf(value, 0) {
			t.Errorf("%s: %s = %g, measured: %v", name, key, value, ok)
		}
	}
	if f["closed_per_s"] <= 0 || f["rejected"] != 0 {
		t.Errorf("%s: %g shares a second, %g rejected", name, f["closed_per_s"], f["rejected"])
	}
}
