package appliance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/guard"
)

// NodeStatus is how the node is, for the pages.
type NodeStatus struct {
	// Phase is that of the process (absent, starting, warming, stopping, failed)
	// and, while it answers, how far it is with its chain (headers-presync, ibd,
	// catching-up, ready).
	Phase    string
	Class    string // why it failed, for programs; "chain" is a node that the guard refuses
	Text     string // what it does now, a sentence; of a node that starts its own words
	Next     string // what to do about it, a sentence; empty when there is nothing
	Notice   string // what to know about this network, or the way to the node; empty for most
	Warnings []Warning
	Clock    *Warning // of these, the one about the clock; nil: it is right, or that is not known
	Repair   bool     // a repair of its databases waits for a person, see RepairNode
	Address  string   // of a node that somebody else runs; empty: the box runs it
	PID      int
	Restarts int
	Since    time.Time // of the process's phase

	Asked     bool // the node answered, so what follows is known
	Version   string
	Height    int32
	Headers   int32
	Presynced int32   // headers looked at before any is kept, -1: not doing that
	Progress  float64 // verification progress, 0 to 1
	IBD       bool
	Peers     int
	PeersIn   int           // of these, who called
	Chain     string        // as the node names it: main, test, signet …
	TipTime   time.Time     // the tip's own time
	TipLimit  time.Duration // from this age of the tip on there is a warning; 0: never on this chain
	OnDisk    int64         // bytes of its blocks
	Pruned    bool          // it keeps the newest blocks only
	PruneTo   int64         // bytes of them that it keeps by itself; 0: somebody prunes it, or nobody
	Says      []string      // its own warnings, as it words them
	Problem   string        // why the node did not answer, a sentence

	// The rest of the download takes between LeftLeast and LeftMost; both are
	// zero when that cannot be told.
	LeftLeast, LeftMost time.Duration

	Abilities []node.Ability // of a node that somebody else runs
	Snapshot  SnapshotStatus

	// Bytes of the disk that it writes to; nil of a node that somebody else runs.
	DiskTotal, DiskFree *int64

	Log []string // tail of the node's log
}

// classChain is the class of a node that runs well on another chain.
const classChain = "chain"

// noticeOf tells what a person should know about mining on a network.
func noticeOf(network string) string {
	if network == bitcoind.NetworkSignet {
		return "Only the signers of the public signet can extend it: a block found here is refused by all (bad-signet-blksig). " +
			"Shares, hashrate, node and wallet work; blocks cannot be found. Use the practice network to rehearse those."
	}
	return ""
}

// Node returns how the node's process is and asks it for its chain.
func (a *Appliance) Node(ctx context.Context) NodeStatus {
	s := NodeStatus{
		Phase: "absent", Text: "The box is starting.", Since: a.startedAt, Notice: noticeOf(a.network), Presynced: -1,
	}
	if found := a.found.Load(); found != nil {
		s.Notice = strings.TrimSpace(s.Notice + " " + *found)
	}
	if a.config.External.named() {
		s.Address, s.Abilities = a.config.External.URL, a.abilities.read()
		s.Notice = strings.TrimSpace(s.Notice + " " + a.config.External.exposure())
	}
	s.Snapshot = a.Snapshot()
	runner := a.runner.Load()
	if runner == nil {
		if core := a.Core(); core.Text != "" {
			s.Text = core.Text
		}
		if now := time.Now(); a.clockUnset(now) {
			s.Text, s.Next = clockText(now)
		}
		return s
	}
	state := runner.State()
	s.Phase, s.Class, s.Text = string(state.Phase), string(state.Class), state.Text
	s.PID, s.Restarts, s.Since = state.PID, state.Restarts, state.Since
	s.Log, s.Repair = runner.Log(), state.Repair != bitcoind.RepairNone
	if m, err := bitcoind.Survey(a.nodeDisk(a.network)); err == nil && s.Address == "" {
		s.DiskTotal, s.DiskFree = &m.DiskTotal, &m.DiskFree
		s.warn(roomWarning(a.network, a.nodeDisk(a.network), m))
	}
	if state.Phase != bitcoind.PhaseReady {
		return s
	}
	if err := a.askChain(ctx, &s); err != nil {
		s.Problem = node.Sentence(err)
		s.Phase, s.Text = string(bitcoind.PhaseWarming), s.Problem
	}
	return s
}

// warn adds a warning, if there is one.
func (s *NodeStatus) warn(w Warning, there bool) {
	if there {
		s.Warnings = append(s.Warnings, w)
	}
}

// askChain fills in what only the node knows.
func (a *Appliance) askChain(ctx context.Context, s *NodeStatus) error {
	chain, err := a.node.BlockchainInfo(ctx)
	if err != nil {
		return err
	}
	network, err := a.node.NetworkInfo(ctx)
	if err != nil {
		return err
	}
	s.Version = network.Subversion
	s.Height, s.Headers = chain.Blocks, chain.Headers
	s.Progress, s.IBD = chain.VerificationProgress, chain.InitialBlockDownload
	s.Peers, s.PeersIn = network.Connections, network.ConnectionsIn
	s.Chain, s.PruneTo = chain.Chain, chain.PruneTarget
	s.Says = slices.Compact(slices.Sorted(slices.Values(slices.Concat(chain.Warnings, network.Warnings))))
	s.TipTime = time.Unix(chain.Time, 0)
	s.OnDisk, s.Pruned = chain.SizeOnDisk, chain.Pruned
	if w, wrong := clockWarning(time.Now(), s.TipTime, time.Duration(network.TimeOffset)*time.Second); wrong {
		s.Clock = &w
		s.warn(w, true)
	}

	err = a.node.Vouch(ctx)
	if refused, ok := errors.AsType[*guard.RefusedError](err); ok {
		s.Phase, s.Class = string(bitcoind.PhaseFailed), classChain
		s.Text, s.Next = refused.Reason, refused.Next
		s.Asked = true
		return nil
	}
	if err != nil {
		return err
	}
	if chain.Headers == 0 {
		if s.Presynced, err = a.node.PresyncedHeaders(ctx); err != nil {
			return err
		}
	}
	sync := node.SyncOf(a.network, chain, network, s.Presynced)
	s.Phase, s.Text, s.Asked = string(sync.Stage), sync.Text, true
	if s.Snapshot.State == SnapshotVerifying {
		s.Text += " " + s.Snapshot.Text
	}
	if !a.privateChain() {
		s.TipLimit = tipAgeLimit
	}
	if sync.Stage == node.StageReady && s.TipLimit > 0 {
		s.warn(tipWarning(time.Now(), s.TipTime))
	}
	if sync.Stage == node.StageDownload || sync.Stage == node.StageCatchingUp {
		s.LeftLeast, s.LeftMost = a.speed.left()
	}
	return nil
}

// speedometer keeps the estimate of how long the download takes.
type speedometer struct {
	mu  sync.Mutex
	now eta
}

func (s *speedometer) add(at time.Time, progress float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.add(at, progress)
}

func (s *speedometer) left() (least, most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	least, most, _ = s.now.left()
	return least, most
}

// measureEvery is how often the progress of a download is read. The pages show
// what follows from it, and are told when the node gets to another stage.
const measureEvery = 10 * time.Second

// measureSync follows the node on its way to the whole chain until ctx ends.
func (a *Appliance) measureSync(ctx context.Context) error {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	last := ""
	for {
		if a.nodeIsReady() && !a.privateChain() {
			s := a.Node(ctx)
			if s.Asked {
				a.speed.add(time.Now(), s.Progress)
			}
			if s.Asked && s.Phase != last {
				last = s.Phase
				a.tellNode(s.Phase, s.Text)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// nodeIsReady tells whether the node's RPC serves.
func (a *Appliance) nodeIsReady() bool {
	runner := a.runner.Load()
	return runner != nil && runner.State().Phase == bitcoind.PhaseReady
}

// probeNode tells the supervisor whether the node answers; the text of the error
// is its progress.
func (a *Appliance) probeNode(ctx context.Context) error {
	_, err := a.node.BlockchainInfo(ctx)
	return err
}

// warmingUp returns the node's own words while it starts.
func warmingUp(err error) (string, bool) {
	var rpc *node.RPCError
	if errors.As(err, &rpc) && rpc.Code == node.ErrCodeWarmup {
		return rpc.Message, true
	}
	return "", false
}
