package ledger

import "testing"

func TestNext(t *testing.T) {
	lost := Observation{Maturity: 101}
	at := func(confirmations int32) Observation {
		return Observation{Known: true, Confirmations: confirmations, Maturity: 101}
	}

	// Standings that a block can be in.
	fresh := standing{StateFound, bookedNone, 0, false}
	found := standing{StateFound, bookedNone, 0, true}
	pending := standing{StateAccepted, bookedPending, 0, true}
	payable := standing{StateMature, bookedPayable, 0, true}
	orphaned := standing{StateOrphaned, bookedNone, 1, true}
	stale := standing{StateStale, bookedNone, 0, true}
	rejected := standing{StateRejected, bookedNone, 0, true}
	in := func(state State, s standing) standing { s.state = state; return s }

	tests := []struct {
		name   string
		from   standing
		seen   Observation
		want   State
		booked booking
	}{
		{"found and in the chain, but nobody knows whom to pay", fresh, at(1), StateFound, bookedNone},
		{"found and in the chain", found, at(1), StateAccepted, bookedPending},
		{"found and deep in the chain: one arrow at a time", found, at(500), StateAccepted, bookedPending},
		{"found, another was first", found, at(-1), StateStale, bookedNone},
		{"found and another was first, before the split", fresh, at(-1), StateStale, bookedNone},
		{"found and lost by the node", found, lost, StateUnknown, bookedNone},
		{"accepted, not deep enough", pending, at(100), StateAccepted, bookedPending},
		{"accepted and deep enough", pending, at(101), StateMature, bookedPayable},
		{"accepted and off the chain", pending, at(-1), StateOrphaned, bookedNone},
		{"accepted and lost by the node: no money moves", pending, lost, StateUnknown, bookedPending},
		{"mature", payable, at(5000), StateMature, bookedPayable},
		{"mature, the chain is shorter now", payable, at(3), StateMature, bookedPayable},
		{"mature and off the chain", payable, at(-1), StateOrphaned, bookedNone},
		{"mature and lost by the node: no money moves", payable, lost, StateUnknown, bookedPayable},
		{"unknown and back, pending", in(StateUnknown, pending), at(7), StateAccepted, bookedPending},
		{"unknown and back, deep", in(StateUnknown, pending), at(101), StateMature, bookedPayable},
		{"unknown and back, payable", in(StateUnknown, payable), at(7), StateMature, bookedPayable},
		{"unknown and back off the chain, pending", in(StateUnknown, pending), at(-1), StateOrphaned, bookedNone},
		{"unknown and back, never booked", in(StateUnknown, found), at(1), StateAccepted, bookedPending},
		{"unknown and back without a split", in(StateUnknown, fresh), at(1), StateFound, bookedNone},
		{"unknown and back off the chain, never booked", in(StateUnknown, found), at(-1), StateStale, bookedNone},
		{"unknown and back off the chain, once orphaned", in(StateUnknown, orphaned), at(-1), StateOrphaned, bookedNone},
		{"unknown, still", in(StateUnknown, pending), lost, StateUnknown, bookedPending},
		{"orphaned, still", orphaned, at(-1), StateOrphaned, bookedNone},
		{"orphaned and back in the chain", orphaned, at(1), StateAccepted, bookedPending},
		{"orphaned and lost by the node", orphaned, lost, StateUnknown, bookedNone},
		{"stale, still", stale, at(-1), StateStale, bookedNone},
		{"stale and in the chain after all", stale, at(2), StateAccepted, bookedPending},
		{"stale and lost by the node", stale, lost, StateUnknown, bookedNone},
		{"rejected and not known", rejected, lost, StateRejected, bookedNone},
		{"rejected and off the chain", rejected, at(-1), StateRejected, bookedNone},
		{"rejected, but in the chain: the coins are there", rejected, at(1), StateAccepted, bookedPending},
		{"zero confirmations are no evidence", pending, at(0), StateAccepted, bookedPending},
		{"less than -1 is no evidence", payable, at(-2), StateMature, bookedPayable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.from.next(tt.seen)
			if booked := tt.from.bookings(got); got != tt.want || booked != tt.booked {
				t.Errorf("next = %s, %s; want %s, %s", got, booked, tt.want, tt.booked)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		result, before string
		want           verdict
	}{
		{"", "", verdictOpen},
		{"duplicate", "", verdictOpen},
		{"inconclusive", "", verdictOpen},
		{"duplicate-inconclusive", "", verdictOpen},
		{"prev-blk-not-found", "", verdictOpen},
		{"prev-blk-not-found", "prev-blk-not-found", verdictRefused},
		{"duplicate-invalid", "", verdictRefused},
		{"bad-cb-amount", "", verdictRefused},
		{"high-hash", "", verdictRefused},
		{"something new", "", verdictRefused},
	}
	for _, tt := range tests {
		if got := judge(tt.result, tt.before); got != tt.want {
			t.Errorf("judge(%q after %q) = %v, want %v", tt.result, tt.before, got, tt.want)
		}
	}
}
