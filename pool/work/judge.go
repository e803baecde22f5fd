package work

import "github.com/btcsuite/btcd/chainhash/v2"

// Verdict is the answer to a share. A rejected share is a verdict, not an
// error.
type Verdict uint8

// The verdicts. JobNotFound is the caller's to give: without the job there is
// nothing to judge.
const (
	Accepted       Verdict = iota // counts
	AcceptedLate                  // counts, although its block is no longer the next one
	JobNotFound                   // for a job unknown or forgotten
	Stale                         // builds on a block that is no longer the tip
	Duplicate                     // was accepted before
	LowDifficulty                 // its hash is above the target
	TimeOutOfRange                // header time that consensus or good sense refuses
)

// String returns the verdict as a short word for counters; the words do not
// change from release to release.
func (v Verdict) String() string {
	switch v {
	case Accepted:
		return "accepted"
	case AcceptedLate:
		return "accepted-late"
	case JobNotFound:
		return "job-not-found"
	case Stale:
		return "stale"
	case Duplicate:
		return "duplicate"
	case LowDifficulty:
		return "low-difficulty"
	case TimeOutOfRange:
		return "time-out-of-range"
	default:
		return "unknown"
	}
}

// Accepted reports whether the share counts.
func (v Verdict) Accepted() bool { return v == Accepted || v == AcceptedLate }

// Terms is what a share is judged by besides its job.
type Terms struct {
	Tip        chainhash.Hash // the best block now
	Grace      bool           // the session heard of Tip so recently that work for the block before still counts
	Now        uint32         // unix seconds
	Difficulty float64        // the least that this session was asked for with this job
}

// How far ahead a header's time may be, in seconds: of the job's own time,
// because devices roll it, and of the clock, because nodes refuse a block two
// hours ahead of theirs.
const (
	maxTimeRoll  = 7000
	maxTimeAhead = 7140
)

// Judge decides on a share whose proof the caller has already checked for a
// block. The order is fixed: time, tip, difficulty, and only then duplicates,
// so that seen holds nothing but accepted shares and junk cannot fill it.
func (j *Job) Judge(p Proof, s Solution, t Terms, seen *Seen) Verdict {
	latest := uint64(j.Time) + maxTimeRoll
	// A clock for which the job itself is too far ahead is wrong by hours: the job's
	// time is the node's, and work that was asked for counts.
	if ahead := uint64(t.Now) + maxTimeAhead; ahead >= uint64(j.Time) {
		latest = min(latest, ahead)
	}
	if j.MaxTime != 0 {
		latest = min(latest, uint64(j.MaxTime))
	}
	if s.Time < j.MinTime || uint64(s.Time) > latest {
		return TimeOutOfRange
	}
	late := j.PrevHash != t.Tip
	if late && !t.Grace {
		return Stale
	}
	if !AcceptTarget(t.Difficulty).Meets(p.Hash) {
		return LowDifficulty
	}
	if !seen.add(j.PrevHash, markOf(p.Hash)) {
		return Duplicate
	}
	if late {
		return AcceptedLate
	}
	return Accepted
}
