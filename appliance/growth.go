package appliance

import "time"

// growth measures how fast a disk fills up. It is a value: add returns the next one.
type growth struct {
	points []spaceAt // an hour apart, oldest first
}

// spaceAt is the free space of a disk at a moment, in bytes.
type spaceAt struct {
	at   time.Time
	free int64
}

const (
	growthEvery  = time.Hour
	growthPoints = 7 * 24
	// growthLeast is how long it takes to measure: a node writes in bursts, and a night
	// is not a day.
	growthLeast = 24 * time.Hour
	// growthAnew is how much free space comes back at once only when somebody makes
	// room; what was measured before says nothing then.
	growthAnew = 1_000_000_000
)

// add takes the free space at a moment into account.
func (g growth) add(at time.Time, free int64) growth {
	if n := len(g.points); n > 0 {
		switch last := g.points[n-1]; {
		case free-last.free > growthAnew:
			g.points = nil
		case at.Sub(last.at) < growthEvery:
			return g
		}
	}
	kept := g.points[max(0, len(g.points)+1-growthPoints):]
	return growth{append(kept[:len(kept):len(kept)], spaceAt{at, free})}
}

// left is how long it takes, at the speed of the last days, until only so many bytes
// are free. It is not known before a day was measured, nor while the disk does not
// fill up.
func (g growth) left(limit int64) (time.Duration, bool) {
	if len(g.points) == 0 {
		return 0, false
	}
	first, last := g.points[0], g.points[len(g.points)-1]
	took, grown := last.at.Sub(first.at), first.free-last.free
	if took < growthLeast || grown <= 0 {
		return 0, false
	}
	seconds := float64(max(last.free-limit, 0)) / float64(grown) * took.Seconds()
	return time.Duration(min(seconds, growthFarthest.Seconds()) * float64(time.Second)), true
}

// growthFarthest is the end of what such a measurement can mean.
const growthFarthest = 10 * 365 * 24 * time.Hour
