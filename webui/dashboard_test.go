package webui

import (
	"math"
	"strings"
	"testing"
	"time"
)

// The best share is held against what is usual: after work W the best of all shares
// is above W/ln 2 in half of all cases.
func TestBestLuck(t *testing.T) {
	usual := 0.5 * 2e12 / math.Ln2
	for name, tc := range map[string]struct {
		best, effort, difficulty *float64
		want                     float64 // 0: not known
	}{
		"usual":        {new(usual), new(0.5), new(2e12), 1},
		"thrice":       {new(3 * usual), new(0.5), new(2e12), 3},
		"no share yet": {nil, new(0.0), new(2e12), 0},
		"no work":      {new(usual), new(0.0), new(2e12), 0},
		"no node":      {new(usual), new(0.5), nil, 0},
	} {
		got := dashboardView{Best: bests{Round: tc.best}, Effort: tc.effort, Feed: feedView{Difficulty: tc.difficulty}}.BestLuck()
		if (got == nil) != (tc.want == 0) || got != nil && math.Abs(*got-tc.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// The dashboard tells of the newest things that happened, whatever their kind.
func TestLately(t *testing.T) {
	at := func(m int) time.Time { return noon.Add(-time.Duration(m) * time.Minute) }
	lines := lately(
		[]blockLine{{FoundAt: at(5), Hash: "00ff"}, {FoundAt: at(50)}},
		[]payoutLine{{ID: 7, UpdatedAt: at(3)}},
		[]runLine{{Job: "tidy", Started: at(2), Finished: at(2)}, {Job: "tidy", Started: at(1), Finished: at(1), OK: true}},
		[]auditLine{{At: at(4), Actor: "admin", Fine: true}, {At: at(6), Actor: "unknown"}},
	)
	var got []string
	for _, l := range lines {
		got = append(got, l.Kind+" "+l.State)
	}
	if want := "job failed|payout |login ok|block |login failed"; strings.Join(got, "|") != want {
		t.Errorf("lately %q, want %q", strings.Join(got, "|"), want)
	}
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/").body
	checkPage(t, page)
	text := spoken(page)
	for _, want := range []string{"admin signed in from 192.168.1.9", "Sign-in refused, from 192.168.1.77", "mostly: stale", "this session", "times the usual best for so much work"} {
		if !strings.Contains(text, want) {
			t.Errorf("the dashboard does not say %q", want)
		}
	}
}
