package stratum

import "time"

// Vardiff aims at a share every four seconds.
const sharesPerSecond = 0.25

// When vardiff acts.
const (
	fastShares = 8                 // a flood is certain after so many shares,
	floodCount = 200               // or at once after so many: a large miner woke up;
	fastTime   = time.Second       // not earlier than this after a change,
	fastRatio  = 4                 // when they come so many times too fast;
	fastLimit  = 64                // the most that one step multiplies by
	calmTime   = 60 * time.Second  // otherwise it looks after this time
	calmShares = 12                // and so many shares,
	calmLatest = 240 * time.Second // or after this time with fewer,
	calmFewest = 2                 // but not with one: that says nothing;
	calmLow    = 0.5               // and leaves alone what is between
	calmHigh   = 1.6               // these ratios
	silence    = 60 * time.Second  // no share for this long, or for
	silences   = 8                 // so many expected intervals: too hard,
	silentStep = 4                 // divide by this
)

// vardiff finds the difficulty that suits a miner from the shares that it
// sends. It is a value and reads no clock. It proposes; limits, rounding and
// delivery are the session's.
type vardiff struct {
	difficulty float64 // what the shares are judged at
	since      time.Time
	last       time.Time // last share, or since
	shares     int       // at this difficulty
	credit     meter     // difficulty credited at this difficulty
	pace       float64   // credit per second as of the last share ever; 0: unknown
}

// restart begins anew at another difficulty.
func (v *vardiff) restart(difficulty float64, at time.Time) {
	*v = vardiff{difficulty: difficulty, since: at, last: at, credit: newMeter(at), pace: v.pace}
}

// share counts an accepted share. One that was credited at another difficulty
// is of a job from before the last change and says nothing about this one.
func (v *vardiff) share(credited float64, at time.Time) {
	if credited != v.difficulty {
		return
	}
	v.shares++
	v.last = at
	v.credit.add(credited, at)
	v.pace = v.credit.rate(at)
}

// propose returns a better difficulty than the present one, and whether the
// miner should have it at once instead of with the next job; ok is false when
// all is well or nothing can be said yet.
func (v *vardiff) propose(at time.Time) (difficulty float64, urgent, ok bool) {
	elapsed := at.Sub(v.since)
	rate := v.credit.rate(at)
	ratio := rate / (v.difficulty * sharesPerSecond)

	switch {
	case v.shares >= fastShares && (elapsed >= fastTime || v.shares >= floodCount) && ratio >= fastRatio:
		return v.difficulty * min(ratio, fastLimit), true, true
	case at.Sub(v.last) >= v.patience():
		return v.difficulty / silentStep, true, true
	case elapsed < calmTime || v.shares < calmFewest,
		v.shares < calmShares && elapsed < calmLatest,
		calmLow <= ratio && ratio <= calmHigh:
		return 0, false, false
	default:
		return rate / sharesPerSecond, false, true
	}
}

// patience returns how long the miner may be silent.
func (v *vardiff) patience() time.Duration {
	if v.pace <= 0 {
		return silence
	}
	interval := v.difficulty / v.pace
	if interval > time.Hour.Seconds() {
		return silences * time.Hour
	}
	return max(silence, time.Duration(silences*interval*float64(time.Second)))
}
