package alert

import "time"

// Snapshot is what the box sees at one moment. A nil pointer is not known: rules that
// would need it leave everything as it is.
type Snapshot struct {
	At      time.Time
	Private bool // nobody else has this chain

	Node   *Node
	Mine   *Mine
	Books  *Books
	Disk   *Disk
	Clock  *Part
	Backup *Backup
	Format *Format
}

// Part is how a part of the box is. Its texts are sentences in English.
type Part struct {
	Bad          bool
	Reason, Next string
}

// Disk is how full the disk is.
type Disk struct {
	Part
	Urgent bool // something is given up, or will be soon
}

// Node is how the node is.
type Node struct {
	Part         // whether it gives work, but for one that is not there yet
	Syncing bool // it has yet to get the whole chain
	Peers   *int
}

// Mine is what the miners do.
type Mine struct {
	// WorkSince is since when work goes out without a pause; zero: none goes out.
	WorkSince  time.Time
	FirstShare time.Time // of the pool
	Recent     float64   // hashes per second over ten minutes and more
	Day        float64   // and over a day
	Workers    []Worker
	Best       Best
}

// Worker is one of the miners' devices.
type Worker struct {
	Address, Name      string
	Label              string // what the operators call it; empty: nothing
	LastShare          time.Time
	Accepted, Rejected int64 // shares of the last hour
	Banned             bool
}

// Best is the best share that was ever found here.
type Best struct {
	Difficulty float64 // zero: there is none
	At         time.Time
	Worker     Worker
}

// Books is what the ledger says.
type Books struct {
	Blocks  []Block // the newest
	Payouts []Payout
	Frozen  Part // whether payouts are frozen, or the books do not add up
}

// Block is a block that the pool found.
type Block struct {
	Hash    string
	Height  int32
	At      time.Time
	State   string // as in package ledger
	Flips   int64  // how often its reward was reversed
	Sats    int64
	Finder  Worker
	Refusal string // what the node said, of a rejected one
}

// Payout is one batch.
type Payout struct {
	ID         int64
	State      string // as in package payout
	Waits      bool   // for somebody's approval
	Sats       int64
	Recipients int
	Changed    time.Time // its state
	Problem    string    // a sentence
	TxID       string
}

// Backup is how safe the box's own data are.
type Backup struct {
	Verified time.Time // when a backup was last seen to be restorable; zero: never
	Since    time.Time // when the first one could have been made
	Failed   bool      // the last one is not as it should be
	Stale    bool      // there was one, and there should have been another by now
	Reason   string    // why there is none, or what is wrong with it, a sentence; empty: not known
	Next     string
}

// Format is the last change of how the books are written.
type Format struct {
	At     time.Time
	Ledger int // schema that is in use now
	Shares int
	Before string // release that had written them before; empty: not known
}
