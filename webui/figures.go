package webui

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance/metrics"
	"github.com/dmpool/dmpool/pool"
)

// figures are what the API tells beyond the pages.
type figures interface {
	Rules() pool.Settings // in force
	Pulse(ctx context.Context) (pulse, error)
	WindowShares(ctx context.Context) *int64                             // how many are in the PPLNS window, nil when not known
	Sessions(ctx context.Context, address string) ([]sessionLine, error) // of one address, of all when it is empty
	WorkerHashrates(ctx context.Context, address, worker string, from, to time.Time, step time.Duration) ([]point, error)
	AuditEntries(ctx context.Context, q auditQuery) ([]auditLine, error) // the newest first
	AuditSums(ctx context.Context) (auditSums, error)
	Mining(ctx context.Context) (miningInfo, error)
	CountBlocks(ctx context.Context) (map[string]int64, error) // by state
	BlocksAt(ctx context.Context, height int32) ([]blockLine, error)
	Measures() (metrics.Snapshot, error) // it asks the node, and waits for it as long as a monitor may
}

// pulse is what the pool does now, and what it has done so far.
type pulse struct {
	StartedAt   time.Time // zero: it has not started
	Serving     bool      // miners get jobs
	Reason      string    // why they do not, a sentence
	Height      int32
	Difficulty  *float64 // of the network
	Value       *int64   // of the next block
	Settlement  string
	Connections int
	Users       int     // addresses that are connected
	Live        float64 // hashes per second, estimated from the newest shares of those who are connected
	ShareRate   float64 // shares per second that follow from it

	Rates     rates
	H6        *float64 // mean hash rate of six hours
	Best      bests
	Accepted  int64
	Late      int64 // of Accepted
	Rejected  int64
	Reasons   []reasonLine
	LastShare time.Time
	Workers   []workerLine
	Effort    *float64 // work since the newest block over that of a block on average
}

// byStatus counts the workers.
func (p pulse) byStatus() map[string]int {
	count := map[string]int{}
	for _, state := range workerStates() {
		count[state] = 0
	}
	for _, w := range p.Workers {
		count[w.Status]++
	}
	return count
}

// here counts the workers that are connected.
func (p pulse) here() (n int) {
	for _, w := range p.Workers {
		if w.Here() {
			n++
		}
	}
	return n
}

// sessionLine is one worker on one connection.
type sessionLine struct {
	ID          string // 8 hex digits
	Address     string
	Name        string
	UserAgent   string
	Hashrate    float64 // hashes per second
	Best        float64
	ConnectedAt time.Time
	SeenAt      time.Time // last share, or the connection itself
}

// miningInfo is the answer of the node to getmininginfo, as far as it is told on.
type miningInfo struct {
	Blocks      int32   `json:"blocks"`
	BlockWeight *int64  `json:"currentblockweight,omitempty"`
	BlockTxs    *int64  `json:"currentblocktx,omitempty"`
	Difficulty  float64 `json:"difficulty"`
	Hashrate    float64 `json:"networkhashps"`
	PooledTxs   int64   `json:"pooledtx"`
	Chain       string  `json:"chain"`
}
