package stratum

import "time"

// The methods here change a session's difficulty. Their callers hold mu.

func (s *session) limits() limits { return s.state.claims.limits(s.server.rules()) }

// begin makes the session ready for jobs, with its first difficulty.
func (s *session) begin() {
	st := &s.state
	st.active = true
	st.claims.remembered = s.server.memory.recall(s.rig())
	st.want, st.fixed = st.claims.choose(s.server.rules())
}

// rig is what the session's difficulty is remembered by.
func (s *session) rig() rig {
	w := s.state.names[0].worker
	return rig{w.Address, w.Name, family(s.state.agent)}
}

// remember is note for a session that has ended; its caller does not hold mu.
func (s *session) remember(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.active {
		s.note(at)
	}
}

// publicProof is how long a stranger must have worked before the server remembers
// anything of it: names cost nothing, an hour of shares does.
const publicProof = time.Hour

// note remembers a difficulty that has proved right.
func (s *session) note(at time.Time) {
	st := &s.state
	if st.fixed || st.vardiff.shares < calmShares || st.current == st.noted {
		return
	}
	if s.public.IsValid() && st.lastShare.Sub(st.firstShare) < publicProof {
		return
	}
	st.noted = st.current
	s.server.memory.note(s.rig(), st.current, at)
}

// wish takes the wishes that came with a mining.authorize.
func (s *session) wish(w wishes) {
	if w == (wishes{}) {
		return
	}
	s.state.claims.wishes = w
	if s.state.active && w.fixed > 0 {
		s.state.want, s.state.fixed = w.fixed, true
	}
}

// suggest takes a mining.suggest_difficulty. Before the first share it is where
// to start; later vardiff knows better, but goes no lower.
func (s *session) suggest(d float64) {
	st := &s.state
	if d == st.claims.suggested { // NerdMiner repeats it as a sign of life
		return
	}
	st.claims.suggested = d
	if !st.active || st.fixed {
		return
	}
	if st.accepted == 0 {
		st.want, st.urgent = s.limits().fit(d), true
		return
	}
	st.claims.hint = d // limits knows it from now on
	st.want = s.limits().fit(st.want)
	st.urgent = st.want > 2*st.current
}

// adjust lets vardiff act unless an earlier change has not gone out yet.
func (s *session) adjust(at time.Time) {
	st := &s.state
	if st.fixed || st.last() == nil || s.pending() {
		return
	}
	d, urgent, ok := st.vardiff.propose(at)
	if !ok {
		return
	}
	if urgent && d < st.current {
		st.claims.hint = 0
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
	return st.urgent && st.last() != nil && s.pending() && st.extra.take(at)
}

// pending reports whether the next job will change the difficulty.
func (s *session) pending() bool {
	return capped(s.state.want, s.state.last().NetworkDifficulty) != s.state.current
}
