package appliance

import (
	"math"
	"time"
)

// eta estimates when the node will have checked the whole chain, from its
// progress over time. Two averages of the speed, one quick and one slow to
// change, give a range: the first hours of a download are much faster than the
// last ones. It is a value: add returns the next one.
type eta struct {
	first, last time.Time
	progress    float64
	quick, slow float64 // progress per second
}

// What the two averages remember, when there is too little to tell, and when
// the answer would mean nothing.
const (
	etaQuick    = 15 * time.Minute
	etaSlow     = 60 * time.Minute
	etaHidden   = 10 * time.Minute
	etaFarthest = 30 * 24 * time.Hour
)

// add takes a progress from 0 to 1 into account. After a long silence, or when
// the progress falls, it begins anew.
func (e eta) add(at time.Time, progress float64) eta {
	step := at.Sub(e.last)
	if e.first.IsZero() || step > etaQuick || progress < e.progress {
		return eta{first: at, last: at, progress: progress}
	}
	if step <= 0 {
		return e
	}
	speed := (progress - e.progress) / step.Seconds()
	next := eta{first: e.first, last: at, progress: progress}
	next.quick = average(e.quick, speed, step, etaQuick, e.last.Equal(e.first))
	next.slow = average(e.slow, speed, step, etaSlow, e.last.Equal(e.first))
	return next
}

// average moves old towards fresh by as much of the memory as step is long.
func average(old, fresh float64, step, memory time.Duration, none bool) float64 {
	if none {
		return fresh
	}
	share := 1 - math.Exp(-step.Seconds()/memory.Seconds())
	return old + share*(fresh-old)
}

// left returns between how long and how long the rest will take, and false when
// that cannot be told.
func (e eta) left() (least, most time.Duration, known bool) {
	slowest, fastest := min(e.quick, e.slow), max(e.quick, e.slow)
	if e.last.Sub(e.first) < etaHidden || slowest <= 0 {
		return 0, 0, false
	}
	rest := max(1-e.progress, 0)
	longest := rest / slowest
	if longest > etaFarthest.Seconds() {
		return 0, 0, false
	}
	return time.Duration(rest / fastest * float64(time.Second)), time.Duration(longest * float64(time.Second)), true
}
