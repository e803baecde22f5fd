package webui

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// crowded is a box where somebody made up names by the thousand: the busiest
// and the one with the best share are the last ones by name.
func crowded(n int) *golden {
	g := newGolden()
	var lines []workerLine
	for i := range n {
		lines = append(lines, workerLine{
			Address: aliceAddress, Name: fmt.Sprintf("rig%05d", i), Status: "online",
			Rates: rates{H1: new(0.0)}, LastShare: noon.Add(time.Duration(i-n) * time.Second),
		})
	}
	lines[n-1].Rates.H1, lines[n-2].Best.Ever = new(95e12), new(1e15)
	lines[n-2].LastShare = noon.Add(-1000 * time.Hour)
	g.workers, g.observer.Workers = lines, lines
	g.dashboard.Online = n
	return g
}

// Pages that list workers stay short, keep those that matter, and say how many
// they left out.
func TestWorkerListsAreBounded(t *testing.T) {
	const n = 3000
	w := open(t, crowded(n))
	w.signIn()
	busiest, quiet, best := "rig02999", "rig00000", "rig02998"
	for path, shown := range map[string]string{
		"/workers":                  busiest,
		"/workers?sort=nonsense":    busiest,
		"/workers?sort=hashrate":    busiest,
		"/workers?sort=last":        busiest,
		"/workers?sort=best":        best,
		"/observer/" + aliceAddress: busiest,
	} {
		body := w.get(path).body
		checkPage(t, body)
		if got := strings.Count(body, "<b>rig"); got != maxLines {
			t.Errorf("%s lists %d workers, want %d", path, got, maxLines)
		}
		if !strings.Contains(body, "and 2,800 more") || !strings.Contains(body, shown) || shown == busiest && strings.Contains(body, best) {
			t.Errorf("%s does not list %s first and say how many are left out", path, shown)
		}
	}
	if body := w.get("/workers?q=" + quiet).body; !strings.Contains(body, "<b>"+quiet) || strings.Contains(body, " more.") {
		t.Errorf("a worker that is not listed cannot be found")
	}
	v := decode(t, w.get("/api/observer/"+aliceAddress).body)
	if got, _ := v["workers"].([]any); len(got) != maxLines || v["total_workers"] != float64(n) {
		t.Errorf("API: %d workers of %v", len(got), v["total_workers"])
	}
}

// A list that fits is whole, in the order that was asked for.
func TestShortListIsWhole(t *testing.T) {
	w := open(t, crowded(maxLines))
	w.signIn()
	body := w.get("/workers").body
	if got := strings.Count(body, "<b>rig"); got != maxLines || strings.Contains(body, " more.") {
		t.Errorf("%d of %d workers are listed", got, maxLines)
	}
	if strings.Index(body, "rig00000") > strings.Index(body, "rig00199") {
		t.Error("workers are not in the order of their names")
	}
}
