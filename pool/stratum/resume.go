package stratum

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
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
	home   netip.Prefix // see homeOf; the zero one if that is not known
	issued []issued     // at no more than the session's last difficulty
}

// homeOf returns the network that a miner comes from, as small as it stays when
// the miner gets another address, and the zero Prefix for what is no IP address.
func homeOf(peer net.Addr) netip.Prefix {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr, bits := tcp.AddrPort().Addr().Unmap().WithZone(""), 24
	if addr.Is6() {
		bits = 64
	}
	home, _ := addr.Prefix(bits) // fails only for more bits than there are
	return home
}

// drawExtranonce1 draws by lot: with an id that follows from another one, a
// stranger could take up the session of his neighbour.
func drawExtranonce1() uint32 {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return binary.BigEndian.Uint32(random[:])
}

// enlist gives a new session an extranonce1 that no other one has, nor one that
// may come back.
func (s *Server) enlist(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	extranonce1 := s.draw()
	for s.taken(extranonce1) {
		extranonce1 = s.draw()
	}
	session.name(extranonce1)
	s.sessions[extranonce1] = session
}

// taken reports whether a session has an extranonce1 or may come back to it. The
// caller holds mu.
func (s *Server) taken(extranonce1 uint32) bool {
	_, live := s.sessions[extranonce1]
	_, closed := s.closed[extranonce1]
	return live || closed
}

// resume gives a session the identity that the miner asks for with the id of
// its last session, if it comes from the same network. A session that still lives
// is left alone: its connection may be half open, but it may also be somebody
// else's.
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
	if r.home.IsValid() && r.home != homeOf(session.peer) {
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
		s.closed[session.extranonce1] = session.state.leave(at, homeOf(session.peer))
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

// leave returns what is left of a session from home.
func (st *state) leave(at time.Time, home netip.Prefix) remains {
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
	return remains{at: at, home: home, issued: jobs}
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
