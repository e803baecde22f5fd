package stratum

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// Words under which shares are counted that are not judged.
const (
	malformed   = "malformed"    // cannot even be judged
	rateLimited = "rate-limited" // come too often
)

// errShareLost means that a share could not be made durable.
var errShareLost = errors.New("share not recorded")

// submit takes a share from its line to its verdict, all on the reader's
// goroutine (stratum.md, "mining.submit validation"). A line that could not be
// understood comes with an error. The answer waits in s.answers for the share
// to be durable.
func (s *session) submit(ctx context.Context, in submission, err error) error {
	// That the miner has not introduced itself goes before any other complaint.
	if !s.subscribed {
		s.answer(in.id, errNotSubscribed)
		return nil
	}
	if len(s.state.names) == 0 {
		s.answer(in.id, errUnauthorized)
		return nil
	}

	at := time.Now()
	limited := s.pace.excess(len(s.state.names), s.server.rules().SubmitRate, at)
	worker := s.workerOf(ctx, in.user)
	var solution work.Solution
	if err == nil {
		solution, err = in.solution()
	}
	if err != nil {
		if limited {
			return s.reject(in.id, worker, rateLimited, errRateLimited, at)
		}
		return s.reject(in.id, worker, malformed, err, at)
	}
	job, terms, ok := s.lookUp(in, at)
	if !ok {
		return s.reject(in.id, worker, work.JobNotFound.String(), errJobNotFound, at)
	}
	if solution.Version, ok = rolledVersion(job.Version, solution.Version, s.mask); !ok {
		return s.reject(in.id, worker, malformed, errVersionBits, at)
	}
	binary.BigEndian.PutUint32(solution.Extranonce[:], s.extranonce1)

	share := Share{
		Worker:     worker,
		Job:        job,
		Solution:   solution,
		Proof:      job.Prove(solution),
		Difficulty: terms.Difficulty,
		Work:       s.weight.of(terms.Difficulty),
		At:         at,
		Session:    s.id,
		UserAgent:  s.state.agent, // which only this goroutine changes
	}
	if share.Proof.Block {
		// Before all else, and whatever the verdict: it may be worth a house.
		s.server.backend.Found(share)
	}
	if limited && !share.Proof.Block {
		return s.reject(in.id, worker, rateLimited, errRateLimited, at)
	}

	verdict := job.Judge(share.Proof, solution, terms, s.server.seen)
	if !verdict.Accepted() {
		return s.reject(in.id, worker, verdict.String(), verdictFault(verdict), at)
	}
	share.Late = verdict == work.AcceptedLate
	commit, err := s.server.backend.Accepted(ctx, share)
	if err != nil {
		return fmt.Errorf("%w: %w", errShareLost, err)
	}
	s.commits = append(s.commits, commit)
	s.answers = appendResult(s.answers, in.id, "true")
	s.credit(share)
	return nil
}

// reject answers and counts a share that does not count. The error ends the
// session: it has sent nothing else for too long, or much too often.
func (s *session) reject(id json.RawMessage, worker Worker, reason string, fault error, at time.Time) error {
	s.server.backend.Rejected(worker, reason)
	s.mu.Lock()
	if s.state.rejected == nil {
		s.state.rejected = make(map[string]uint64)
	}
	s.state.rejected[reason]++
	s.mu.Unlock()
	s.answer(id, fault)

	if due := s.streak.rejected(at); due != nothing {
		s.remedy = due
		s.log().Info("Miner sends nothing but invalid shares", "reason", reason, "since", s.streak.since)
	}
	if s.remedy == goodbye || s.pace.hopeless() {
		return errLeave
	}
	return nil
}

// pace limits how often a session submits. A miner that has woken up may send
// much more than that until vardiff has caught up with it, which takes a second
// or two, so a new difficulty is a new start.
type pace struct {
	bucket     bucket
	difficulty float64
	dropped    float64
}

// burst is how many seconds' worth of submissions may come at once.
const burst = 5

// excess reports whether a submission exceeds a rate per name.
func (p *pace) excess(names int, rate float64, at time.Time) bool {
	rate *= float64(names)
	if p.bucket.rate != rate {
		p.bucket = fill(rate, burst*rate, at)
	}
	if p.bucket.take(at) {
		return false
	}
	p.dropped++
	return true
}

// restart begins anew when the difficulty is another one than before.
func (p *pace) restart(difficulty float64) {
	if p.difficulty != 0 && p.difficulty != difficulty {
		*p = pace{}
	}
	p.difficulty = difficulty
}

// hopeless reports whether a whole burst has been dropped.
func (p *pace) hopeless() bool { return p.dropped > p.bucket.burst }

// weight keeps the work of the last difficulty: it is nearly always that of the
// next share, too.
type weight struct {
	difficulty float64
	work       int64
}

func (w *weight) of(difficulty float64) int64 {
	if w.difficulty != difficulty {
		*w = weight{difficulty, work.ShareWork(difficulty)}
	}
	return w.work
}

// lookUp finds the job of a submission and the terms it is judged by.
func (s *session) lookUp(in submission, at time.Time) (*work.Job, work.Terms, bool) {
	id, ok := in.jobID()
	if !ok {
		return nil, work.Terms{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.restart(s.state.current)
	issued := s.state.find(id)
	if issued == nil {
		return nil, work.Terms{}, false
	}
	difficulty := issued.difficulty
	if s.state.current > 0 { // else the first job of a resumed session is still to come
		difficulty = min(difficulty, s.state.current)
	}
	return issued.job, work.Terms{
		Tip:        s.server.current.Load().job.PrevHash,
		Grace:      issued.retired.IsZero() || at.Sub(issued.retired) < s.server.rules().Grace,
		Now:        uint32(at.Unix()),
		Difficulty: difficulty,
	}, true
}

func verdictFault(v work.Verdict) error {
	switch v {
	case work.Stale:
		return errStale
	case work.Duplicate:
		return errDuplicate
	case work.LowDifficulty:
		return errLowDifficulty
	case work.TimeOutOfRange:
		return errTimeRange
	default:
		return errJobNotFound
	}
}
