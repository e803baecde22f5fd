package stratum

import "time"

// pace limits how often a session submits. A miner that has woken up may send
// much more than that until vardiff has caught up with it, which takes a second
// or two, so a new difficulty is a new start.
type pace struct {
	bucket     bucket
	patience   bucket // what exceeds the bucket is taken from here
	exhausted  bool
	difficulty float64
}

const (
	// burst is how many seconds' worth of submissions may come at once, and as
	// many again may be dropped before the session ends.
	burst = 5
	// forgiveness is how many times slower patience grows back than the bucket
	// fills: in less than a minute.
	forgiveness = 10
	// publicNames is how many workers count at most for a session of a stranger:
	// names cost nothing.
	publicNames = 4
)

// allowance returns how many submissions per second the session may send: so
// many for each of its names, as a proxy speaks for several miners.
func (s *session) allowance() float64 {
	names := len(s.state.names)
	if s.public.IsValid() {
		names = min(names, publicNames)
	}
	return s.server.rules().SubmitRate * float64(names)
}

// excess reports whether a submission exceeds the rate. A higher rate adds what
// it allows more, not a new start.
func (p *pace) excess(rate float64, at time.Time) bool {
	p.bucket.resize(rate, burst*rate, at)
	p.patience.resize(rate/forgiveness, burst*rate, at)
	if p.bucket.take(at) {
		return false
	}
	p.exhausted = !p.patience.take(at)
	return true
}

// restart begins anew when the difficulty is another one than before.
func (p *pace) restart(difficulty float64) {
	if p.difficulty != 0 && p.difficulty != difficulty {
		*p = pace{}
	}
	p.difficulty = difficulty
}

// hopeless reports whether more than a burst has been dropped of late.
func (p *pace) hopeless() bool { return p.exhausted }
