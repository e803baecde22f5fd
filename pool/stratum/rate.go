package stratum

import "time"

// bucket is a token bucket. It is a value; time comes in from outside.
type bucket struct {
	tokens float64
	at     time.Time
	rate   float64 // tokens per second
	burst  float64 // as many fit in
}

// fill returns a bucket that is full.
func fill(rate, burst float64, at time.Time) bucket { return bucket{burst, at, rate, burst} }

func (b *bucket) refill(at time.Time) {
	if elapsed := at.Sub(b.at); elapsed > 0 {
		b.tokens = min(b.burst, b.tokens+elapsed.Seconds()*b.rate)
		b.at = at
	}
}

// resize changes rate and size, and fills the room that is gained. The zero bucket
// becomes a full one.
func (b *bucket) resize(rate, burst float64, at time.Time) {
	if b.rate == rate && b.burst == burst {
		return
	}
	b.refill(at)
	*b = bucket{max(0, b.tokens+burst-b.burst), at, rate, burst}
}

// take takes a token if there is one.
func (b *bucket) take(at time.Time) bool {
	b.refill(at)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// wait returns how long to wait for a token. Who does wait takes it at once, with
// book.
func (b *bucket) wait(at time.Time) time.Duration {
	b.refill(at)
	return time.Duration(max(0, 1-b.tokens) / b.rate * float64(time.Second))
}

func (b *bucket) book() { b.tokens-- }

// streak is a run of rejected shares with no accepted one between them. Single
// bad shares happen to every miner; a long run of nothing else means that miner
// and pool have lost each other.
type streak struct {
	since time.Time
	count int
	step  remedy
}

// remedy is what may help a miner whose shares are all rejected.
type remedy int

const (
	nothing   remedy = iota
	freshJob         // tell it the difficulty again, with a clean job
	reconnect        // ask it to connect anew
	goodbye          // close: it may have another pool
)

// A remedy is due each time after so long, and not before so many shares.
const (
	remedyTime   = 60 * time.Second
	remedyShares = 5
)

// rejected counts a share and returns the remedy that has become due.
func (s *streak) rejected(at time.Time) remedy {
	if s.count == 0 {
		s.since = at
	}
	s.count++
	next := s.step + 1
	if s.step == goodbye || at.Sub(s.since) < time.Duration(next)*remedyTime || s.count < int(next)*remedyShares {
		return nothing
	}
	s.step = next
	return next
}

func (s *streak) accepted() { *s = streak{} }
