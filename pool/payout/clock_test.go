package payout

import (
	"errors"
	"testing"
	"time"
)

// TestFault48ClockJumps: whatever is done to the clock, an approval is good for 24
// hours at most, and what somebody approves in time is paid.
func TestFault48ClockJumps(t *testing.T) {
	full := fullLedger(t)
	type look struct {
		clock, lived time.Duration // since the plan was made
		want         State
	}
	const day = 24 * time.Hour
	tests := map[string][]look{
		"no jump":               {{day - time.Second, day - time.Second, Pending}, {day, day, Expired}},
		"forward":               {{25 * time.Hour, time.Hour, Expired}},
		"forward, a little":     {{23 * time.Hour, time.Hour, Pending}, {25 * time.Hour, 3 * time.Hour, Expired}},
		"back, far":             {{-100 * day, time.Hour, Expired}},
		"back, before the plan": {{-2 * time.Minute, time.Minute, Expired}},
		"back, by a time server": {
			{-time.Second, time.Minute, Pending}, {day - 2*time.Second, day - time.Second, Pending}, {day - time.Second, day, Expired},
		},
		"back, behind the plan":    {{20 * time.Hour, 20 * time.Hour, Pending}, {time.Hour, 21 * time.Hour, Pending}, {4 * time.Hour, day, Expired}},
		"back, again and again":    {{time.Hour, 12 * time.Hour, Pending}, {time.Hour, 23 * time.Hour, Pending}, {time.Hour, day, Expired}},
		"forward and back in time": {{20 * time.Hour, time.Hour, Pending}, {2 * time.Hour, 2 * time.Hour, Pending}, {23 * time.Hour, 23 * time.Hour, Pending}},
	}
	for name, looks := range tests {
		for _, state := range []State{Pending, Approved} {
			t.Run(string(state)+" "+name, func(t *testing.T) {
				b := newBox(t, full)
				start, lived := b.now, time.Duration(0)
				b.desk.uptime = func() time.Duration { return lived }
				p := b.upTo(state)
				if state == Approved { // the wallet keeps it waiting
					b.pass.err = ErrLocked
					b.desk.pass = b.pass
					b.advance()
				}
				for _, l := range looks {
					b.now, lived = start.Add(l.clock), l.lived
					want := l.want
					if state == Approved && want == Pending {
						want = Approved
					}
					if state == Pending && want == Expired {
						if err := b.desk.Approve(t.Context(), approvalOf(p)); !errors.Is(err, ErrExpired) {
							t.Errorf("Approve %v after the plan = %v, want ErrExpired", l.lived, err)
						}
					}
					b.advance()
					if got := b.get(p.ID); got.State != want {
						t.Fatalf("clock %v, lived %v: the payout is %s, want %s", l.clock, l.lived, got.State, want)
					}
				}
				if b.get(p.ID).State == Expired {
					b.checkReleased()

					return
				}
				if state == Pending {
					b.approve(p)
				}
				b.desk.pass = fixedPass{}
				b.advance()
				b.want(p.ID, Broadcast, "")
			})
		}
	}
}

// A plan that nobody has looked at since the clock was set back, because the
// program was not running, is over.
func TestFault48RestartWithAnOldClock(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.upTo(Pending)
	b.reopen()
	b.now = b.now.Add(-2 * time.Hour)
	if err := b.desk.Approve(t.Context(), approvalOf(p)); !errors.Is(err, ErrExpired) {
		t.Errorf("Approve = %v, want ErrExpired", err)
	}
	b.advance()
	b.want(p.ID, Expired, "")
	b.checkReleased()
}
