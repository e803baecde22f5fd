package node

import (
	"slices"
	"sync"
	"time"
)

// timed is the number of newest calls that Timing looks at.
const timed = 512

// Timing says how quickly the node answered its newest calls. Long polls, which
// wait on purpose, are not among them.
type Timing struct {
	Calls, Failed uint64        // counters: since the client was made
	Sum           time.Duration // counter: that they took together
	Median, P99   time.Duration // of the newest calls; zero when there was none
}

// timing remembers how long calls took.
type timing struct {
	mu            sync.Mutex
	calls, failed uint64
	sum           time.Duration
	took          [timed]time.Duration
}

func (t *timing) note(d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took[t.calls%timed] = d
	t.calls++
	t.sum += d
	if err != nil {
		t.failed++
	}
}

// Timing returns a snapshot. The clients of all wallets of a node count together.
func (c *Client) Timing() Timing {
	t := c.timing
	t.mu.Lock()
	s := Timing{Calls: t.calls, Failed: t.failed, Sum: t.sum}
	took := slices.Clone(t.took[:min(t.calls, timed)])
	t.mu.Unlock()
	if len(took) == 0 {
		return s
	}
	slices.Sort(took)
	s.Median, s.P99 = took[len(took)/2], took[len(took)*99/100]
	return s
}
