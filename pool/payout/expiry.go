package payout

import "time"

// clockSlack is how far a time server may set the clock back without putting a
// plan in doubt.
const clockSlack = time.Minute

// deadline is the end of a payout's wait.
type deadline struct {
	at  time.Time     // by the clock of the machine, as it is stored
	due time.Duration // by the clock that cannot be set, as of when this Desk saw it first
}

// expired reports whether the wait of a pending or approved payout is over. The
// clock of the machine can be set meanwhile, so it is believed when it says yes,
// but not always when it says no: not at a time before the wait began, since
// nobody knows how far it was set back, and not when more time than that has really
// gone by while this Desk lived.
func (d *Desk) expired(p Payout) bool {
	now, up := d.now(), d.uptime()
	if !now.Before(p.ExpiresAt) || now.Before(p.UpdatedAt.Add(-clockSlack)) {
		return true
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	end, ok := d.deadlines[p.ID]
	if !ok || !end.at.Equal(p.ExpiresAt) {
		end = deadline{at: p.ExpiresAt, due: up + p.ExpiresAt.Sub(now)}
		d.deadlines[p.ID] = end
	}

	return up >= end.due
}

// monotonic returns a clock that nobody can set: it tells how long ago it was made.
func monotonic() func() time.Duration {
	start := time.Now()

	return func() time.Duration { return time.Since(start) }
}
