package metrics

import "time"

// Snapshot is a box at one moment. A nil pointer is not known, and neither is a time
// that is zero.
type Snapshot struct {
	At      time.Time
	Release string
	Network string
	Started time.Time // the process
	Short   bool      // addresses are cut to their ends

	Health  []Check
	Mine    *Mine // nil: the pool is not running
	Workers []Worker
	Node    Node
	Money   *Money // nil: the books could not be read
	Machine Machine
	Jobs    []Job

	LoginFailures uint64    // counter: of this process
	Backup        time.Time // the newest that was verified
}

// Check is a part of the box: 1 is healthy, 0.5 degraded, 0 down.
type Check struct {
	Name  string
	Level float64
}

// Mine is what the pool does and has done.
type Mine struct {
	Serving     bool // miners get work
	Connections int
	Hashrates   map[string]float64 // by span: "10m", "1h", "24h", "7d"
	Difficulty  *float64           // mean of what connected miners were assigned, by their work

	Accepted  int64            // counter: shares
	Rejected  map[string]int64 // counter: shares, by reason
	Work      float64          // counter: hashes that accepted shares stand for
	LastShare time.Time
	BestNow   *float64 // difficulty, of those who are connected, since they are
	BestEver  *float64

	NetworkDifficulty *float64
	RoundWork         *float64 // difficulties since the newest block, added up
	Height            int32
	TemplateAt        time.Time
	TemplateTxs       int
	Coinbase          []Output // of the next block; nil: each miner has one of its own
	CoinbaseValue     int64    // satoshis

	Tips                    uint64 // counter: of this process
	FirstNotify, LastNotify *time.Duration
	JobAge                  Ages

	Blocks []Block          // the newest first
	States map[string]int64 // blocks, by state
}

// Output is one of a coinbase.
type Output struct {
	Address string
	Sats    int64
}

// Ages is a histogram: Counts[i] are those of at most Bounds[i] and more than the
// bound before, and the last count has no bound.
type Ages struct {
	Bounds []time.Duration
	Counts []uint64
	Sum    time.Duration
}

// Block is one that the pool has found.
type Block struct {
	Hash   string
	Height int32
	At     time.Time
}

// Worker is a rig of an account, as the share log knows it.
type Worker struct {
	Address, Name string
	Work          float64 // counter: hashes that its accepted shares stand for
	Week          float64 // hash rate of seven days, by which workers are chosen
	BestNow       *float64
	BestEver      float64
	LastShare     time.Time
}

// Node is how the node is.
type Node struct {
	Synced   bool
	Asked    bool // it answered, so the next three are known
	Height   int32
	Peers    int
	TipAt    time.Time
	Restarts int // counter: of this process

	Median, P99   time.Duration // of its newest answers; zero: none
	Calls, Failed uint64        // counters: of this process
	Waited        time.Duration // counter: that all calls took
}

// Money is what is in the books and in the wallet, in satoshis.
type Money struct {
	Owed    map[string]int64 // pending, payable, reserved
	Wallet  map[string]int64 // trusted, immature, pending; nil: the node did not tell
	Payouts map[string]int   // number, by state
	Frozen  bool
}

// Machine is the computer.
type Machine struct {
	DiskFree, DiskSize, MemoryUsed, Busy, Celsius *float64
}

// Job is a scheduled job by its last run.
type Job struct {
	Name string
	At   time.Time
	OK   bool
}
