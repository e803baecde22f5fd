package stratum

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// Jobs for the sake of a new difficulty: vardiff needs a handful in the first
// minute and then few.
const (
	extraEvery = 5 * time.Second
	extraBurst = 8
)

// state is what a session's reader, the publisher, the watch and the pages
// share. The session's mu guards it.
type state struct {
	active bool // the handshake is complete: jobs may be sent
	agent  string
	names  []login // in the order of their first use

	// Difficulty: who has a say in it, and what it is.
	claims  claims
	fixed   bool    // vardiff has no say
	want    float64 // goes out with the next job
	urgent  bool    // which should not be waited for
	extra   bucket  // of the jobs that urgent changes may have to themselves
	current float64 // went out with the last job
	noted   float64 // what the server remembers for the next session
	vardiff vardiff

	issued     []issued // oldest first
	inherited  []issued // of the session that this one resumes
	accepted   uint64
	late       uint64
	rejected   map[string]uint64 // made when needed
	best       chainhash.Hash    // lowest hash of an accepted share
	firstShare time.Time
	lastShare  time.Time
	credited   meter // difficulty of all accepted shares
}

// login is a name that a miner uses and the worker that is meant.
type login struct {
	username string
	worker   Worker
}

// issued is a job as one session got it.
type issued struct {
	job        *work.Job
	difficulty float64
	at         time.Time
	retired    time.Time // when the miner was told of another tip; zero: not yet
}

func newState(p Port, at time.Time) state {
	return state{
		claims:   claims{port: p},
		extra:    fill(1/extraEvery.Seconds(), extraBurst, at),
		credited: newMeter(at),
	}
}

// enrol adds a name or changes who is meant by it.
func (st *state) enrol(l login) {
	for i := range st.names {
		if st.names[i].username == l.username {
			st.names[i] = l
			return
		}
	}
	st.names = append(st.names, l)
}

// workers returns the different workers of a session, the first one first.
func (st *state) workers() []Worker {
	var list []Worker
	for _, l := range st.names {
		known := func(w Worker) bool { return w.Address == l.worker.Address && w.Name == l.worker.Name }
		if !slices.ContainsFunc(list, known) {
			list = append(list, l.worker)
		}
	}
	return list
}

// mixed reports whether the names of the session have different addresses.
func (st *state) mixed() bool {
	return slices.ContainsFunc(st.names, func(l login) bool { return l.worker.Address != st.names[0].worker.Address })
}

// find returns the job with this number if the session has got it. It is
// nearly always among the last ones.
func (st *state) find(id uint32) *issued {
	for i := len(st.issued) - 1; i >= 0; i-- {
		if st.issued[i].job.ID == id {
			return &st.issued[i]
		}
	}
	for i := range st.inherited {
		if st.inherited[i].job.ID == id {
			return &st.inherited[i]
		}
	}
	return nil
}

// last returns the newest job, or nil.
func (st *state) last() *work.Job {
	if len(st.issued) == 0 {
		return nil
	}
	return st.issued[len(st.issued)-1].job
}

// forget drops the jobs that were superseded so long ago that no share will
// come for them, but keeps those of the last three templates.
func (st *state) forget(at time.Time) {
	old, last := 0, len(st.inherited)-1
	for old <= last && at.Sub(st.inherited[min(old+1, last)].at) > jobMemory {
		old++
	}
	st.inherited = slices.Delete(st.inherited, 0, old)
	keep := len(st.issued)
	for templates := 0; keep > 0 && templates < 3; keep-- {
		if keep == len(st.issued) || st.issued[keep-1].job.Template() != st.issued[keep].job.Template() {
			templates++
		}
	}
	drop := 0
	for drop < keep && at.Sub(st.issued[drop+1].at) > jobMemory {
		drop++
	}
	if drop > 0 {
		n := copy(st.issued, st.issued[drop:])
		clear(st.issued[n:])
		st.issued = st.issued[:n]
	}
}

// notify sends a job to the miner if it is ready for one.
func (s *session) notify(n *notice, clean bool, at time.Time) {
	defer s.recovered(nil)
	if s.offer(n, clean, at) {
		s.send(false)
	}
}

func (s *session) offer(n *notice, clean bool, at time.Time) (mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.active {
		return false
	}
	n, ok := s.pick(n)
	last := s.state.last()
	if !ok || last == n.job { // it got this one when it became ready
		return false
	}
	line := n.refresh
	// A miner that could not be given the first job on a tip hears of the tip now.
	if clean = clean || last == nil || last.PrevHash != n.job.PrevHash; clean {
		line = n.clean
	}
	return s.push(s.issue(n.job, line, clean, at))
}

// pick returns what of a notice belongs to the session, if there is something and
// its miner can hold it. The caller holds mu.
func (s *session) pick(n *notice) (own *notice, ok bool) {
	if n.layOut != nil && s.state.mixed() {
		// From before Config.OneAddress: its first address would be paid for the
		// work of all. When it comes back it has to choose.
		_ = s.conn.Close()
		return nil, false
	}
	own, err := n.of(s.state.names[0].worker, s.server.NextJobID)
	if err != nil {
		return nil, false
	}
	room := s.state.claims.device.coinbaseRoom()
	if own.narrow != nil && own.job.CoinbaseSize() > room {
		own = own.narrow
	}
	return own, own.job.CoinbaseSize() <= room
}

// first makes the item that takes the server's job to a miner that has none
// yet, if there is one for it. If the session resumes one that had this job, it
// gets another number: with the same extranonce1 it would be the same work, and
// its shares duplicates. The caller holds mu and pushes the item.
func (s *session) first(n *notice, at time.Time) (it item, ok bool) {
	n, ok = s.pick(n)
	if !ok {
		return it, false
	}
	if s.state.find(n.job.ID) == nil {
		return s.issue(n.job, n.clean, true, at), true
	}
	job := n.job.WithID(s.server.NextJobID(), n.job.Time)
	return s.issue(job, jobLine(job, true), true, at), true
}

// renew makes the item that takes the last job to the miner again, under a new
// number. The caller holds mu and pushes the item.
func (s *session) renew(clean bool, at time.Time) item {
	last := s.state.last()
	job := last.WithID(s.server.NextJobID(), last.Time)
	return s.issue(job, jobLine(job, clean), clean, at)
}

// issue makes the item that takes a job to the miner, with a new difficulty
// before it if there is one. The caller holds mu and pushes the item.
func (s *session) issue(job *work.Job, line []byte, clean bool, at time.Time) item {
	st := &s.state
	it := item{line: line, job: job, clean: clean}
	st.want, st.urgent = s.limits().fit(st.want), false
	if d := capped(st.want, job.NetworkDifficulty); d != st.current {
		it.difficulty = appendDifficulty(nil, d)
		st.current = d
		st.vardiff.restart(d, at)
	}
	st.forget(at)
	st.issued = append(st.issued, issued{job: job, difficulty: st.current, at: at})
	return it
}

// departed notes that a clean job has been written: the miner has heard of the
// new tip, and from now on the time of grace runs.
func (s *session) departed(clean *work.Job, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [...][]issued{s.state.issued, s.state.inherited} {
		for i := range list {
			if old := &list[i]; old.job.PrevHash != clean.PrevHash && old.retired.IsZero() {
				old.retired = at
			}
		}
	}
}
