package vitals

// Rate are the rates between two readings; nil is not known.
type Rate struct {
	Busy     *float64 // part of all cores, 0 to 1
	Received *float64 // bytes per second
	Sent     *float64
}

// Since computes what happened between an older reading and r. A counter that went
// back, as after a network card was replaced, tells nothing.
func (r Reading) Since(older Reading) Rate {
	var rate Rate
	seconds := r.At.Sub(older.At).Seconds()
	if seconds <= 0 {
		return rate
	}
	if r.Busy != nil && older.Busy != nil && r.Cores > 0 {
		if d := *r.Busy - *older.Busy; d >= 0 {
			rate.Busy = new(min(1, d.Seconds()/seconds/float64(r.Cores)))
		}
	}
	rate.Received = perSecond(r.Received, older.Received, seconds)
	rate.Sent = perSecond(r.Sent, older.Sent, seconds)
	return rate
}

func perSecond(now, older *int64, seconds float64) *float64 {
	if now == nil || older == nil || *now < *older {
		return nil
	}
	return new(float64(*now-*older) / seconds)
}
