// Package bitcoind runs the node's process. It knows nothing of pools, shares
// or wallets: it writes bitcoin.conf, decides how much disk and memory the node
// may use ([Decide]), starts bitcoind, watches it, starts it
// again when it dies and stops it so that nothing is lost.
//
// # What a node wants
//
// bitcoind keeps much of its state in memory and writes the chain to disk once
// an hour and when it stops. A node that is killed comes back with an older
// chain; on a private chain the lost blocks come from nowhere else. Therefore
// it is stopped by RPC, or by SIGTERM, which means the same to it, and then
// waited for. SIGKILL comes only when a long limit has passed.
//
// The same holds when this program itself is killed: the kernel sends the node
// SIGTERM at the death of its parent, and the next start finds a predecessor
// that is still writing. It waits for the lock on the data directory and goes
// on by itself.
//
// # What a start looks like
//
//	absent → starting → warming → ready → stopping → absent
//	             └──────────┴────────┴──→ failed → (back-off) → starting
//
// The process is up long before it serves: its RPC first refuses connections,
// then answers every call with error -28 and a text such as "Loading block
// index…". Those texts are progress and are shown word for word. Whether the
// RPC serves is asked through [Care.Probe], so that this package needs
// no RPC client of its own.
//
// bitcoind's exit status is 1 for every failure. The reason is in its last log
// lines; they are read and turned into a sentence with a next step.
//
// # A node of its own user
//
// As a child the node is this user's: whoever takes over the pool's pages has its
// wallet files, and an update of the pool stops it. On an installed box it is a unit
// of systemd instead ([Unit]), under a user of its own, and runs on while the pool
// is away. Then nothing that could name a program to run goes from here to there:
// the pool writes numbers and choices ([Request]), and the node's user checks them
// and writes the options ([Places.Apply]), becomes the node ([Places.Launch]) and
// tells why it ended ([Places.Report]). Who may write where is told at [Places].
//
// # Damage
//
// Two kinds of damage a node can mend by itself, by building its databases anew
// with a flag of one start ([Repair]). That takes long, and what is damaged again
// soon after points to a failing disk or memory: so [Care.Mend] keeps a
// record and decides, and a person may order it with [Child.Repair]. A wrong
// clock, a full disk, a wallet or another chain's directory is never answered
// that way.
//
// What somebody has written into bitcoin.conf is gone at the next start. On Bitcoin's
// own networks a data directory belongs to one implementation, and another one is
// refused: they mark different blocks as invalid.
//
// A node that finds no room on its disk dies in the middle of what it writes. It
// is stopped in order before that ([LimitsOf]).
package bitcoind

import (
	"context"
	"time"
)

// Runner keeps a node running: as a child of this process ([Child]), or as a
// unit of systemd ([Unit]). For a node that somebody else runs
// ([External]) it only looks.
type Runner interface {
	// Run keeps the node running until ctx ends. A child is gone when it
	// returns, a unit runs on. It returns an error only for what another try cannot
	// mend.
	Run(ctx context.Context) error
	// State tells how the node is now.
	State() State
	// Changed returns a channel that is closed at the next change of State.
	Changed() <-chan struct{}
	// Log returns the newest lines of the node's log, oldest first.
	Log() []string
}

// Phase is where the node is between nothing and ready.
type Phase string

// The phases; see the package comment for their order.
const (
	PhaseAbsent   Phase = "absent"   // no process, none wanted
	PhaseStarting Phase = "starting" // about to start, or started and silent
	PhaseWarming  Phase = "warming"  // it runs, but does not serve yet, or not at the moment
	PhaseReady    Phase = "ready"    // its RPC answers
	PhaseStopping Phase = "stopping" // it is writing its state to disk
	PhaseFailed   Phase = "failed"   // it ended by itself; the next try is due
)

// Class says why a node does not run, for programs; State.Text says it to
// people.
type Class string

// The classes. All but ClassLock and ClassAway count as a restart.
const (
	ClassLock       Class = "lock"       // another process holds the data directory; waiting for it
	ClassPort       Class = "port"       // a port is taken
	ClassDisk       Class = "disk"       // the disk is full
	ClassDrive      Class = "drive"      // the disk cannot be read or written
	ClassClock      Class = "clock"      // the chain has a block from the future: the clock is wrong
	ClassChainstate Class = "chainstate" // the database of coins is damaged: -reindex-chainstate
	ClassBlocks     Class = "blocks"     // the blocks or their index are damaged: -reindex
	ClassWallet     Class = "wallet"     // a wallet file is damaged
	ClassDirectory  Class = "directory"  // the data directory is another chain's, or not writable
	ClassConfig     Class = "config"     // bitcoin.conf is refused
	ClassBinary     Class = "binary"     // the program cannot be started at all
	ClassKilled     Class = "killed"     // a signal ended it
	ClassStopped    Class = "stopped"    // somebody else stopped it in order
	ClassCrash      Class = "crash"      // anything else
	ClassAway       Class = "away"       // somebody else's node cannot be asked
	ClassService    Class = "service"    // systemd does not do what it is asked
)

// State is a snapshot of the node.
type State struct {
	Phase    Phase
	Text     string    // a sentence for the operator, with the next step where there is one
	PID      int       // of the process; 0 when there is none
	Restarts int       // how often it failed since Run began
	Since    time.Time // when Phase was entered
	Class    Class     // empty unless something is wrong
	Repair   Repair    // what would mend it, when that waits for a person's word
}
