package appliance

import (
	"context"
	"fmt"
	"time"
)

// clockSlack is how far behind the program's own date a clock may be: a clock that
// was never set is decades away, and the date of a program need not be exact.
const clockSlack = 365 * 24 * time.Hour

// clockUnset tells whether the clock of this machine cannot be right, since it is
// before this program was made. A small computer without a battery begins in 1970.
func (a *Appliance) clockUnset(now time.Time) bool {
	return !a.config.Built.IsZero() && now.Before(a.config.Built.Add(-clockSlack))
}

// clockText says what a clock that cannot be right holds up, and what to do.
func clockText(now time.Time) (text, next string) {
	text = fmt.Sprintf("The clock of this machine says %s, which is before this program was made. "+
		"Node, mining, payouts and jobs wait until it is right; miners that connect wait, too.", now.UTC().Format("2006-01-02 15:04"))
	return text, "It is set by itself when the machine reaches the Internet. By hand: timedatectl set-time."
}

// clockLook is how often the clock is looked at while it cannot be right.
const clockLook = time.Second

// awaitClock returns when the clock can be right. Until then nothing happens whose
// time would be written down or count: no node, no share, no payout, no job.
func (a *Appliance) awaitClock(ctx context.Context) error {
	now := time.Now()
	if !a.clockUnset(now) {
		return nil
	}
	text, next := clockText(now)
	a.log.Warn("The clock is not set", "text", text, "next", next)
	tick := time.NewTicker(clockLook)
	defer tick.Stop()
	for a.clockUnset(time.Now()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	a.log.Info("The clock is set", "now", time.Now())
	return nil
}
