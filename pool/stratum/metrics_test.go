package stratum

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetrics(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		if got := w.server.Metrics(); got.Tips != 0 || !got.Published.IsZero() {
			t.Errorf("before the first job: %+v", got)
		}
		m, job := w.readyAt(1e-5)
		if got := w.server.Metrics(); got.Tips != 1 || got.Published.IsZero() || !got.FirstNotify.IsZero() || !got.LastNotify.IsZero() {
			t.Errorf("a job before the first miner: %+v", got)
		}
		even, odd := m.halves(job, 1e-5)
		time.Sleep(3 * time.Second)
		m.expect("after 3 s", even, "4 true")

		time.Sleep(5 * time.Second)
		start := time.Now()
		w.server.Publish(w.job(1, hard), false) // the same tip
		w.server.Publish(w.job(2, hard), false)
		m.received()
		time.Sleep(10 * time.Second)
		m.expect("after 18 s", odd, `4 [21,"Stale share",null]`)
		m.expect("again", odd, `4 [21,"Stale share",null]`)
		m.expect("no job", request("4", "submit", `["addr.rig","deadbeef","0000000000000000","00000001","00000001"]`), `4 [21,"Job not found",null]`)
		got := w.server.Metrics()
		want := Metrics{
			// Time stands still between two waits; each of the two took at least a nanosecond.
			Published: start, FirstNotify: start.Add(1), LastNotify: start.Add(1), Notified: 1, Accepted: 1, Rejected: 3,
			Tips: 2, Stale: 2, StaleThisTip: 2,
			JobAge: Ages{Bounds: got.JobAge.Bounds, Counts: []uint64{0, 1, 0, 2, 0, 0, 0, 0, 0}, Sum: 39 * time.Second},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.server.Publish(w.job(3, hard), false)
		if got := w.server.Metrics(); got.Tips != 3 || got.Stale != 2 || got.StaleThisTip != 0 || got.StaleLastTip != 2 {
			t.Errorf("after the next tip: %+v", got)
		}
	})
}

// Counting a share allocates nothing.
func TestMetricsOfShares(t *testing.T) {
	var m metrics
	age := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() { m.share(age); age += time.Second }); n != 0 {
		t.Errorf("%g allocations for a share", n)
	}
	if n := m.ages[len(ageBounds)].Load(); n != 1001-601 {
		t.Errorf("%d shares for jobs of more than ten minutes, want %d", n, 1001-601)
	}
}
