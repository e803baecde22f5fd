package stratum

import "time"

// The methods here decide on a session's difficulty. Their callers hold mu.

// limits returns the bounds of the session's difficulty. The operator's come
// first, then those of the device, then what the miner asked for.
func (s *session) limits() limits {
	st := &s.state
	b := s.server.bounds.Load()
	return limits{
		floor:   max(b.floor, st.device.floor, st.wishes.floor, st.least, st.hint),
		ceiling: b.ceiling,
		whole:   st.device.whole,
	}
}

// begin makes the session ready for jobs, with its first difficulty.
func (s *session) begin() {
	st := &s.state
	st.active = true
	for _, d := range []float64{
		st.wishes.fixed,
		st.wishes.start,
		st.suggested,
		s.server.bounds.Load().start,
		st.device.difficulty,
		deviceOf("").difficulty,
	} {
		if d > 0 {
			st.want = d
			return
		}
	}
}

// wish takes the wishes that came with a mining.authorize.
func (s *session) wish(w wishes) {
	if w == (wishes{}) {
		return
	}
	s.state.wishes = w
	if w.fixed > 0 {
		s.state.want = w.fixed
	}
}

// suggest takes a mining.suggest_difficulty. Before the first share it is where
// to start; later vardiff knows better, but goes no lower.
func (s *session) suggest(d float64) {
	st := &s.state
	if d == st.suggested { // NerdMiner repeats it as a sign of life
		return
	}
	st.suggested = d
	if !st.active || st.wishes.fixed > 0 {
		return
	}
	if st.accepted == 0 {
		st.want, st.urgent = s.limits().fit(d), true
		return
	}
	st.hint = d // limits knows it from now on
	st.want = s.limits().fit(st.want)
	st.urgent = st.want > 2*st.current
}

// adjust lets vardiff act unless an earlier change has not gone out yet.
func (s *session) adjust(at time.Time) {
	st := &s.state
	if st.wishes.fixed > 0 || st.last() == nil || s.pending() {
		return
	}
	d, urgent, ok := st.vardiff.propose(at)
	if !ok {
		return
	}
	if urgent && d < st.current {
		st.hint = 0
	}
	want := s.limits().fit(twoDigits(d))
	if capped(want, st.last().NetworkDifficulty) == st.current {
		return
	}
	st.want, st.urgent = want, urgent
}

// due reports whether the wanted difficulty should go out now, with a job of
// its own, instead of with the next one. Such jobs are remembered for minutes,
// so a miner that changes its mind all the time gets only a few of them.
func (s *session) due(at time.Time) bool {
	st := &s.state
	return st.urgent && st.last() != nil && s.pending() && st.extra.AllowN(at, 1)
}

// pending reports whether the next job will change the difficulty.
func (s *session) pending() bool {
	return capped(s.state.want, s.state.last().NetworkDifficulty) != s.state.current
}
