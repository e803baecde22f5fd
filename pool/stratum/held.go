package stratum

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// Limits of what is held over a restart. A miner sends shares again for about two
// minutes after its connection closed, which is as long as four templates last;
// and while a pool is so large that there are more shares than these on one tip,
// it does without: a share must never count twice.
const (
	heldTemplates = 4
	heldPerMiner  = 8 // jobs of one session
	heldShares    = 1 << 18
)

// Held is what is needed to take a share, after a restart in order, for a job
// from before it: the last jobs on the tip, complete with their transactions,
// because a share may be a block; which session got them, and at what
// difficulty; from where a session may be taken up; and the shares that have been accepted, so that none counts twice.
// The zero value holds nothing. It can be written as JSON.
type Held struct {
	At       time.Time
	Tip      chainhash.Hash
	Jobs     work.Jobs
	Sessions map[uint32][]HeldJob    // by extranonce1
	Homes    map[uint32]netip.Prefix // the networks of all sessions that can be resumed
	Accepted []work.Mark             // shares on Tip
	LastJob  uint32                  // number of the newest job; none comes again
}

// HeldJob is a job as one session got it.
type HeldJob struct {
	ID         uint32
	Difficulty float64 // what its shares count for at most
	At         time.Time
}

// Held returns what the next server needs of this one. Call it after
// [Server.Serve] has returned.
func (s *Server) Held() Held {
	at := time.Now()
	h := Held{At: at, Tip: s.tip(), LastJob: s.jobID.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Homes = make(map[uint32]netip.Prefix)
	for extranonce1, r := range s.closed {
		if r.home.IsValid() {
			h.Homes[extranonce1] = r.home
		}
	}
	accepted := s.seen.On(h.Tip)
	if len(accepted) > heldShares {
		s.log().Info("Too many shares on this block: jobs are not kept over the restart", "shares", len(accepted))
		return h
	}
	recent := s.recentTemplates(h.Tip)
	jobs := make(map[uint32]*work.Job)
	h.Sessions = make(map[uint32][]HeldJob)
	for extranonce1, r := range s.closed {
		if at.Sub(r.at) >= resumeTime {
			continue
		}
		useless := func(i issued) bool {
			return i.job.PrevHash != h.Tip || !slices.Contains(recent, i.job.Template())
		}
		list := slices.DeleteFunc(slices.Clone(r.issued), useless)
		for _, i := range list[max(0, len(list)-heldPerMiner):] {
			jobs[i.job.ID] = i.job
			h.Sessions[extranonce1] = append(h.Sessions[extranonce1], HeldJob{i.job.ID, i.difficulty, i.at})
		}
	}
	if len(jobs) == 0 {
		return h
	}
	for _, id := range slices.Sorted(maps.Keys(jobs)) {
		h.Jobs = append(h.Jobs, jobs[id])
	}
	h.Accepted = accepted
	return h
}

// recentTemplates returns the last templates on a tip that closed sessions got
// jobs of. The caller holds mu.
func (s *Server) recentTemplates(tip chainhash.Hash) []*work.Template {
	last := make(map[*work.Template]time.Time)
	for _, r := range s.closed {
		for _, i := range r.issued {
			if t := i.job.Template(); i.job.PrevHash == tip && i.at.After(last[t]) {
				last[t] = i.at
			}
		}
	}
	newest := func(a, b *work.Template) int { return last[b].Compare(last[a]) }
	list := slices.SortedFunc(maps.Keys(last), newest)
	return list[:min(len(list), heldTemplates)]
}

// recallHeld gives the sessions that may be resumed their jobs back. The caller
// holds mu and has filled closed.
func (s *Server) recallHeld(h Held, at time.Time) {
	if int32(h.LastJob-s.jobID.Load()) > 0 { // the clock was set back, or the numbers ran ahead of it
		s.jobID.Store(h.LastJob)
	}
	for extranonce1, home := range h.Homes {
		if r, known := s.closed[extranonce1]; known {
			r.home = home
			s.closed[extranonce1] = r
		}
	}
	if len(h.Jobs) == 0 {
		return
	}
	if at.Sub(h.At) >= resumeTime {
		s.log().Info("Jobs from before the start are too old for any share", "age", at.Sub(h.At))
		return
	}
	jobs := make(map[uint32]*work.Job, len(h.Jobs))
	for _, j := range h.Jobs {
		if j.PrevHash == h.Tip {
			jobs[j.ID] = j
		}
	}
	for extranonce1, list := range h.Sessions {
		r, known := s.closed[extranonce1]
		if !known {
			continue
		}
		for _, held := range list {
			if job := jobs[held.ID]; job != nil && sensible(held.Difficulty) {
				r.issued = append(r.issued, issued{job: job, difficulty: held.Difficulty, at: held.At})
			}
		}
		s.closed[extranonce1] = r
	}
	s.heldTip = h.Tip
	s.seen.Learn(h.Tip, h.Accepted)
}

// tip returns the block that shares must build on: that of the last job, or before
// the first one, what was the tip before the restart. It is zero while nothing
// is known.
func (s *Server) tip() chainhash.Hash {
	if n := s.current.Load(); n != nil {
		return n.job.PrevHash
	}
	return s.heldTip
}
