package stratum

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// Jobs for the sake of a new difficulty: vardiff needs a handful in the first
// minute and then few.
const (
	extraEvery = 5 * time.Second
	extraBurst = 8
)

// state is what a session's reader, its writer, the publisher and the pages
// share. The session's mu guards it.
type state struct {
	active  bool // the handshake is complete: jobs may be sent
	agent   string
	device  device
	workers []Worker // in the order of their first authorize

	// Difficulty: what the miner asked for, and what it has.
	wishes    wishes        // of password and username
	least     float64       // of mining.configure
	suggested float64       // the last suggestion
	hint      float64       // a suggestion that vardiff keeps above, until the miner falls silent
	want      float64       // goes out with the next job
	urgent    bool          // which should not be waited for
	extra     *rate.Limiter // of the jobs that urgent changes may have to themselves
	current   float64       // went out with the last job
	vardiff   vardiff

	issued    []issued // oldest first
	noticed   time.Time
	accepted  uint64
	late      uint64
	rejected  map[string]uint64
	best      chainhash.Hash // lowest hash of an accepted share
	lastShare time.Time
	credited  meter // difficulty of all accepted shares
}

// issued is a job as one session got it.
type issued struct {
	job        *work.Job
	difficulty float64
	at         time.Time
	retired    time.Time // when the miner was told of another tip; zero: not yet
}

func newState(at time.Time) state {
	return state{
		rejected: make(map[string]uint64),
		credited: newMeter(at),
		extra:    rate.NewLimiter(rate.Every(extraEvery), extraBurst),
	}
}

func (st *state) addWorker(w Worker) {
	for i, known := range st.workers {
		if known.Address == w.Address && known.Name == w.Name {
			st.workers[i] = w
			return
		}
	}
	st.workers = append(st.workers, w)
}

// find returns the job with this number if the session has got it. It is
// nearly always among the last ones.
func (st *state) find(id uint32) *issued {
	for i := len(st.issued) - 1; i >= 0; i-- {
		if st.issued[i].job.ID == id {
			return &st.issued[i]
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
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.state.last()
	if !s.state.active || last == n.job { // it got this one when it became ready
		return
	}
	s.out.push(s.issue(n, clean || last == nil, at))
}

// renew makes the item that takes the last job to the miner again, under a new
// number. The caller holds mu and pushes the item.
func (s *session) renew(at time.Time, moveTime bool) item {
	last := s.state.last()
	t := last.Time
	if moveTime && !s.server.config.FixedTime {
		t = max(t, uint32(at.Unix()))
	}
	return s.issue(newNotice(last.WithID(s.server.NextJobID(), t)), false, at)
}

// issue makes the item that takes a job to the miner, with a new difficulty
// before it if there is one. The caller holds mu and pushes the item.
func (s *session) issue(n *notice, clean bool, at time.Time) item {
	st := &s.state
	it := item{line: n.refresh, job: n.job, clean: clean}
	if clean {
		it.line = n.clean
	}
	st.want, st.urgent = s.limits().fit(st.want), false
	if d := capped(st.want, n.job.NetworkDifficulty); d != st.current {
		it.difficulty = appendDifficulty(nil, d)
		st.current = d
		st.vardiff.restart(d, at)
	}
	st.forget(at)
	st.issued = append(st.issued, issued{job: n.job, difficulty: st.current, at: at})
	st.noticed = at
	return it
}

// departed notes that a clean job has been written: the miner has heard of the
// new tip, and from now on the time of grace runs.
func (s *session) departed(clean *work.Job, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.state.issued {
		old := &s.state.issued[i]
		if old.job.PrevHash != clean.PrevHash && old.retired.IsZero() {
			old.retired = at
		}
	}
}

// tick looks after a session that may have nothing else to do.
func (s *session) tick(at time.Time) error {
	paused, away := s.server.pause(at)
	if away {
		return errLeave
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.last() == nil {
		return nil
	}
	s.adjust(at)

	// The pool publishes more often than this; while it cannot, the session
	// keeps its miner by itself: many hang up after 90 seconds of silence.
	silent := at.Sub(s.state.noticed)
	switch {
	case paused && silent >= s.server.config.KeepAlive, silent >= 2*s.server.config.KeepAlive:
		s.out.push(s.renew(at, true))
	case s.due(at):
		s.out.push(s.renew(at, false))
	}
	return nil
}
