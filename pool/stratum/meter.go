package stratum

import (
	"math"
	"time"
)

// hashesPerDifficulty is the number of hashes that a share of difficulty 1
// stands for: 2^32, as everybody rounds it.
const hashesPerDifficulty = 1 << 32

// meterMemory is the time after which a share weighs 1/e in a meter.
const meterMemory = 300 * time.Second

// meter estimates the rate of a quantity that comes in lumps, per second: an
// exponentially weighted mean with its start-up bias taken out, so that it is
// right from the first minute and follows a change within some more. It is a
// value; time comes in from outside.
type meter struct {
	start time.Time
	last  time.Time
	sum   float64 // weighted as of last
}

func newMeter(at time.Time) meter { return meter{start: at, last: at} }

func (m *meter) add(quantity float64, at time.Time) {
	m.sum = m.weighted(at) + quantity
	m.last = at
}

// rate returns the estimate as of at; it is zero when no time has passed.
func (m *meter) rate(at time.Time) float64 {
	known := 1 - decay(at.Sub(m.start))
	if known <= 0 {
		return 0
	}
	return m.weighted(at) / (meterMemory.Seconds() * known)
}

func (m *meter) weighted(at time.Time) float64 { return m.sum * decay(at.Sub(m.last)) }

func decay(d time.Duration) float64 {
	return math.Exp(-max(d, 0).Seconds() / meterMemory.Seconds())
}
