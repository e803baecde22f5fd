package stratum

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

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
	limited := s.pace.excess(s.allowance(), at)
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
	if verdict == work.Stale {
		s.server.metrics.stale.Add(1)
	}
	if !verdict.Accepted() {
		return s.reject(in.id, worker, verdict.String(), verdictFault(verdict), at)
	}
	share.Late = verdict == work.AcceptedLate
	commit, err := s.server.backend.Accepted(ctx, share)
	if err != nil {
		s.server.seen.Remove(job.PrevHash, share.Proof.Hash)
		return fmt.Errorf("%w: %w", errShareLost, err)
	}
	s.commits = append(s.commits, pending{commit, job.PrevHash, share.Proof.Hash})
	s.answers = appendResult(s.answers, in.id, "true")
	s.server.metrics.accepted.Add(1)
	s.credit(share)
	return nil
}

// pending is an accepted share on its way to the disk.
type pending struct {
	commit     Commit
	prev, hash chainhash.Hash
}

// settle waits until the shares are durable. One that is lost was never sent, as
// far as anybody will know: the miner gets no answer, and may send it again. Of
// one that nobody waited for to the end, the log may still have taken it.
func (s *session) settle(ctx context.Context) error {
	var lost error
	for _, p := range s.commits {
		err := p.commit.Wait(ctx)
		if err != nil && ctx.Err() == nil {
			s.server.seen.Remove(p.prev, p.hash)
		}
		lost = cmp.Or(lost, err)
	}
	clear(s.commits)
	s.commits = s.commits[:0]
	if lost != nil {
		return fmt.Errorf("%w: %w", errShareLost, lost)
	}
	return nil
}

// reject answers and counts a share that does not count. The error ends the
// session: it has sent nothing else for too long, or much too often.
func (s *session) reject(id json.RawMessage, worker Worker, reason string, fault error, at time.Time) error {
	s.server.backend.Rejected(worker, reason)
	s.server.metrics.rejected.Add(1)
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
	s.server.metrics.share(at.Sub(issued.at))
	difficulty := issued.difficulty
	if s.state.current > 0 { // else the first job of a resumed session is still to come
		difficulty = min(difficulty, s.state.current)
	}
	return issued.job, work.Terms{
		Tip:        s.server.tip(),
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
