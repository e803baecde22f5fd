package stratum

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// Backend is what a session needs of the pool, and the only door between the
// two. All methods are called by many sessions at once.
type Backend interface {
	// Authorize says who a username is. A *RefusalError tells the miner why not;
	// after any other error the miner is told to try again later.
	Authorize(ctx context.Context, username string) (Worker, error)

	// Found takes a share that meets the network's target. It is called before
	// anything else is asked about the share, so the same block can come twice
	// and can be stale. It takes no context: a found block outlives the session
	// that found it. It returns when the block was handed to the node, or after
	// a short time of its own.
	Found(s Share)

	// Accepted queues a valid share for the share log, in the order of the
	// calls. The miner is answered when Commit.Wait returns; an error ends the
	// session without an answer.
	Accepted(ctx context.Context, s Share) (Commit, error)

	// Rejected counts a share that was not accepted. The reason is a word of
	// work.Verdict or "malformed".
	Rejected(w Worker, reason string)
}

// Commit is a share on its way to the disk.
type Commit interface {
	// Wait returns nil when the share is durable.
	Wait(ctx context.Context) error
}

// Worker is one name under which shares are counted.
type Worker struct {
	Address         string  // account: the payout address
	Script          []byte  // its scriptPubKey
	Name            string  // the worker's label; empty: the session chooses one by the miner's address
	FixedDifficulty float64 // asked for with the username; 0 means none
}

// Share is a solution with its proof, as the pool sees it.
type Share struct {
	Worker     Worker
	Job        *work.Job
	Solution   work.Solution
	Proof      work.Proof
	Difficulty float64 // what the share is judged and credited at
	Work       int64   // expected hashes of Difficulty: work.ShareWork
	Late       bool    // for the tip before, within the time of grace
	At         time.Time
	Session    string // id of the session
	UserAgent  string
}

// RefusalError is an error of [Backend.Authorize] whose text goes to the miner: a
// few words, always the same for the same cause.
type RefusalError struct{ Reason string }

func (r *RefusalError) Error() string { return r.Reason }
