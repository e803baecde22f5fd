package stratum

import (
	"slices"
	"sync/atomic"
	"time"
)

// Metrics is a snapshot of what tells how quickly miners hear of a new block and
// what it costs when they do not (stratum.md section 6). Counters grow from the
// start of the server on.
type Metrics struct {
	// The last new tip: when its job began to leave, when it was in the first
	// miner's socket, and when in the last one's that took it at once. They are
	// zero before the first tip, and the last two when nobody was there.
	Published, FirstNotify, LastNotify time.Time
	Notified                           int // miners that were there

	Accepted     uint64 // counter: shares that counted
	Rejected     uint64 // counter: shares that did not, for whatever reason
	Tips         uint64 // counter: new tips
	Stale        uint64 // counter: stale shares
	StaleThisTip uint64 // gauge: those since the last new tip
	StaleLastTip uint64 // gauge: those of the tip before, from its first job to the next one's

	JobAge Ages // of the jobs of all submitted shares, whatever became of them
}

// Ages is a histogram. Counts[i] are those of at most Bounds[i] and more than the
// bound before; the last count has no bound.
type Ages struct {
	Bounds []time.Duration
	Counts []uint64
	Sum    time.Duration
}

// ageBounds are those of JobAge. A miner hears of a job every 30 seconds.
var ageBounds = [...]time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, jobMemory,
}

// metrics counts. The methods for shares allocate nothing and wait for nobody.
type metrics struct {
	accepted, rejected, tips, stale atomic.Uint64

	ages   [len(ageBounds) + 1]atomic.Uint64
	ageSum atomic.Int64
	tip    atomic.Pointer[tipMetrics]
}

// tipMetrics is about one tip.
type tipMetrics struct {
	published    time.Time
	first        atomic.Int64 // nanoseconds after published; zero: nobody yet
	last         atomic.Int64
	notified     int
	staleBefore  uint64 // counter of stale shares when the tip was new
	staleLastTip uint64
}

// share counts a submitted share by the age of its job.
func (m *metrics) share(age time.Duration) {
	i := 0
	for i < len(ageBounds) && age > ageBounds[i] {
		i++
	}
	m.ages[i].Add(1)
	m.ageSum.Add(int64(age))
}

// newTip begins to measure a tip whose job goes out to so many miners.
func (m *metrics) newTip(notified int, at time.Time) *tipMetrics {
	t := &tipMetrics{published: at, notified: notified, staleBefore: m.stale.Load()}
	if last := m.tip.Load(); last != nil {
		t.staleLastTip = t.staleBefore - last.staleBefore
	}
	m.tips.Add(1)
	m.tip.Store(t)
	return t
}

// left notes that a miner has the job.
func (t *tipMetrics) left() {
	if t != nil && t.first.Load() == 0 {
		t.first.CompareAndSwap(0, max(1, int64(time.Since(t.published))))
	}
}

// done notes that all miners have it.
func (t *tipMetrics) done() {
	if t != nil && t.notified > 0 {
		t.last.Store(max(1, int64(time.Since(t.published))))
	}
}

// Metrics returns a snapshot.
func (s *Server) Metrics() Metrics {
	m := Metrics{
		Accepted: s.metrics.accepted.Load(),
		Rejected: s.metrics.rejected.Load(),
		Tips:     s.metrics.tips.Load(),
		Stale:    s.metrics.stale.Load(),
		JobAge:   Ages{Bounds: slices.Clone(ageBounds[:]), Sum: time.Duration(s.metrics.ageSum.Load())},
	}
	for i := range s.metrics.ages {
		m.JobAge.Counts = append(m.JobAge.Counts, s.metrics.ages[i].Load())
	}
	t := s.metrics.tip.Load()
	if t == nil {
		return m
	}
	m.Published, m.Notified = t.published, t.notified
	if first := t.first.Load(); first > 0 {
		m.FirstNotify = t.published.Add(time.Duration(first))
	}
	if last := t.last.Load(); last > 0 {
		m.LastNotify = t.published.Add(time.Duration(last))
	}
	m.StaleThisTip, m.StaleLastTip = m.Stale-min(m.Stale, t.staleBefore), t.staleLastTip
	return m
}
