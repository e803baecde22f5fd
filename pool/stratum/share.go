package stratum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// malformed is the word under which shares are counted that cannot even be
// judged.
const malformed = "malformed"

// errShareLost means that a share could not be made durable.
var errShareLost = errors.New("share not recorded")

// submit takes a share from its line to its verdict, all on the reader's
// goroutine (stratum.md, "mining.submit validation"). The answer waits in
// s.answers for the share to be durable.
func (s *session) submit(ctx context.Context, in submission) error {
	if !s.subscribed || len(s.workers) == 0 {
		return s.refuse(in, nil)
	}
	solution, err := in.solution()
	if err != nil {
		return s.refuse(in, err)
	}
	at := time.Now()
	worker := s.workerOf(in.user)
	job, terms, ok := s.lookUp(in, at)
	if !ok {
		s.reject(in, worker, work.JobNotFound.String(), errJobNotFound)
		return nil
	}
	if solution.Version, ok = rolledVersion(job.Version, solution.Version, s.mask); !ok {
		return s.refuse(in, errVersionBits)
	}
	binary.BigEndian.PutUint32(solution.Extranonce[:], s.extranonce1)

	share := Share{
		Worker:     worker,
		Job:        job,
		Solution:   solution,
		Proof:      job.Prove(solution),
		Difficulty: terms.Difficulty,
		At:         at,
		Session:    s.id,
		UserAgent:  s.agent(),
	}
	if share.Proof.Block {
		// Before all else, and whatever the verdict: it may be worth a house.
		s.server.backend.Found(share)
	}

	verdict := job.Judge(share.Proof, solution, terms, s.server.seen)
	if !verdict.Accepted() {
		s.reject(in, worker, verdict.String(), verdictFault(verdict))
		return nil
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

// refuse answers a submission that cannot be judged. That the miner has not
// introduced itself goes before any other complaint.
func (s *session) refuse(in submission, err error) error {
	switch {
	case !s.subscribed:
		s.answer(in.id, errNotSubscribed)
	case len(s.workers) == 0:
		s.answer(in.id, errUnauthorized)
	default:
		s.reject(in, s.workerOf(in.user), malformed, err)
	}
	return nil
}

// reject answers and counts a share that does not count.
func (s *session) reject(in submission, worker Worker, reason string, err error) {
	s.server.backend.Rejected(worker, reason)
	s.mu.Lock()
	s.state.rejected[reason]++
	s.mu.Unlock()
	s.answer(in.id, err)
}

// workerOf returns who a share belongs to. Some firmware submits under another
// name than it authorised; such a share belongs to the session's first worker.
func (s *session) workerOf(username []byte) Worker {
	if worker, ok := s.workers[string(username)]; ok {
		return worker
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.workers[0]
}

func (s *session) agent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.agent
}

// lookUp finds the job of a submission and the terms it is judged by.
func (s *session) lookUp(in submission, at time.Time) (*work.Job, work.Terms, bool) {
	id, ok := in.jobID()
	if !ok {
		return nil, work.Terms{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	issued := s.state.find(id)
	if issued == nil {
		return nil, work.Terms{}, false
	}
	return issued.job, work.Terms{
		Tip:        s.server.current.Load().job.PrevHash,
		Grace:      issued.retired.IsZero() || at.Sub(issued.retired) < s.server.config.Grace,
		Now:        uint32(at.Unix()),
		Difficulty: min(issued.difficulty, s.state.current),
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
