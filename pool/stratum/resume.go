package stratum

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// resumeTime is how long a session can be taken up again after it closed.
const resumeTime = 10 * time.Minute

// remains is what is left of a session: its extranonce1, under which a miner
// may still hold shares that it could not send, and the jobs that these are
// for.
type remains struct {
	at     time.Time
	issued []issued // at no more than the session's last difficulty
}

// enlist gives a new session an extranonce1 that no other one has, nor one that
// may come back.
func (s *Server) enlist(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for taken := true; taken; {
		s.extranonce1++
		_, live := s.sessions[s.extranonce1]
		_, closed := s.closed[s.extranonce1]
		taken = live || closed
	}
	session.name(s.extranonce1)
	s.sessions[s.extranonce1] = session
}

// resume gives a session the identity that the miner asks for with the id of
// its last session. A session that still lives is left alone: its connection
// may be half open, but it may also be somebody else's.
func (s *Server) resume(session *session, sid string, at time.Time) {
	extranonce1, ok := hex32([]byte(sid))
	if !ok || len(sid) != 8 || string(appendHex32(nil, extranonce1)) != sid {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, live := s.sessions[extranonce1]; live {
		return
	}
	r, known := s.closed[extranonce1]
	if known = known && at.Sub(r.at) < resumeTime; !known && !at.Before(s.adoptUntil) {
		return
	}
	delete(s.closed, extranonce1)
	delete(s.sessions, session.extranonce1)
	s.sessions[extranonce1] = session

	session.mu.Lock()
	defer session.mu.Unlock()
	session.name(extranonce1)
	session.state.inherit(r, s.tip())
}

// release forgets a session that has ended, but keeps what it needs to be
// resumed.
func (s *Server) release(session *session, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.extranonce1)

	session.mu.Lock()
	defer session.mu.Unlock()
	if !session.state.active {
		return
	}
	limit := 2 * s.rules().MaxSessions
	if session.public.IsValid() {
		limit -= limit / 4 // as with the places: strangers cannot take those of the miners at home
	}
	if s.buryOld(at); len(s.closed) < limit {
		s.closed[session.extranonce1] = session.state.leave(at)
	}
}

// buryOld drops the sessions that can no longer be resumed. It looks at them
// once a minute at most. The caller holds mu.
func (s *Server) buryOld(at time.Time) {
	if at.Sub(s.buriedAt) < time.Minute {
		return
	}
	s.buriedAt = at
	for extranonce1, r := range s.closed {
		if at.Sub(r.at) >= resumeTime {
			delete(s.closed, extranonce1)
		}
	}
}

// maxInherited bounds the jobs that a miner takes along which comes and goes all
// the time.
const maxInherited = 64

// leave returns what is left of the session's jobs.
func (st *state) leave(at time.Time) remains {
	st.forget(at)
	jobs := slices.Concat(st.inherited, st.issued)
	if n := len(jobs); n > maxInherited {
		jobs = slices.Clone(jobs[n-maxInherited:])
	}
	if st.current > 0 { // else it has seen no job of this connection
		for i := range jobs {
			jobs[i].difficulty = min(jobs[i].difficulty, st.current)
		}
	}
	return remains{at: at, issued: jobs}
}

// inherit takes over the jobs of the session before. Those on another tip are as
// good as retired since then.
func (st *state) inherit(r remains, tip chainhash.Hash) {
	st.inherited = r.issued
	for i := range st.inherited {
		old := &st.inherited[i]
		if old.job.PrevHash != tip && old.retired.IsZero() {
			old.retired = r.at
		}
	}
}
