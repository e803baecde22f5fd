package stratum

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// SessionInfo is a snapshot of one session.
type SessionInfo struct {
	ID          string   // 8 hex digits, unique among live sessions
	Remote      string   // address of the peer
	Port        string   // name of the port's profile; empty for the ordinary one
	UserAgent   string   // as the miner names itself; printable ASCII
	Workers     []Worker // authorised or seen in shares, the first one is the session's own
	Difficulty  float64  // of the last job; 0 before the first
	Hashrate    float64  // estimated from the accepted shares, H/s
	Accepted    uint64   // shares, Late ones included
	Late        uint64
	Rejected    map[string]uint64 // by reason, see Backend.Rejected
	Best        float64           // difficulty of the best accepted share
	ConnectedAt time.Time
	LastShareAt time.Time // zero: none yet
}

// Sessions returns a snapshot of all sessions, oldest first, also of those
// that have not authorised yet.
func (s *Server) Sessions() []SessionInfo {
	at := time.Now()
	live := s.live()
	list := make([]SessionInfo, len(live))
	for i, session := range live {
		list[i] = session.info(at)
	}
	slices.SortFunc(list, func(a, b SessionInfo) int {
		return cmp.Or(a.ConnectedAt.Compare(b.ConnectedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (s *session) info(at time.Time) SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	info := SessionInfo{
		ID:          s.id,
		Remote:      s.peer.String(),
		Port:        s.port.Name,
		UserAgent:   st.agent,
		Workers:     st.workers(),
		Difficulty:  st.current,
		Hashrate:    st.credited.rate(at) * hashesPerDifficulty,
		Accepted:    st.accepted,
		Late:        st.late,
		Rejected:    maps.Clone(st.rejected),
		ConnectedAt: s.connectedAt,
		LastShareAt: st.lastShare,
	}
	if st.accepted > 0 {
		info.Best = work.HashDifficulty(st.best)
	}
	return info
}

// credit counts an accepted share and lets vardiff see it.
func (s *session) credit(share Share) {
	s.streak.accepted()
	if s.state.accepted == 0 { // which only this goroutine changes
		s.log().Info("Miner at work", "worker", share.Worker.Name, "agent", share.UserAgent, "difficulty", share.Difficulty)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	if st.accepted == 0 || lower(share.Proof.Hash, st.best) {
		st.best = share.Proof.Hash
	}
	if st.accepted == 0 {
		st.firstShare = share.At
	}
	st.accepted++
	if share.Late {
		st.late++
	}
	st.lastShare = share.At
	st.credited.add(share.Difficulty, share.At)
	st.vardiff.share(share.Difficulty, share.At)
	s.adjust(share.At)
}

// lower compares two hashes as the little-endian integers that they are.
func lower(a, b chainhash.Hash) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
