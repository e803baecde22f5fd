package appliance

import (
	"context"
	"errors"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
)

// NodeStatus is how the node is, for the pages.
type NodeStatus struct {
	Phase    string // of the process: absent, starting, warming, ready, stopping, failed
	Text     string // what it does now, a sentence
	PID      int
	Restarts int
	Since    time.Time // of the phase

	Asked    bool // the node answered, so what follows is known
	Version  string
	Height   int32
	Headers  int32
	Progress float64 // verification progress, 0 to 1
	IBD      bool
	Peers    int
	TipTime  time.Time // the tip's own time
	Problem  string    // why the node did not answer, a sentence

	Log []string // tail of the node's log
}

// Node returns how the node's process is and asks it for its chain.
func (a *Appliance) Node(ctx context.Context) NodeStatus {
	s := NodeStatus{Phase: "absent", Text: "The box is not set up yet.", Since: a.startedAt}
	child := a.child.Load()
	if child == nil {
		return s
	}
	state := child.State()
	s.Phase, s.Text, s.PID, s.Restarts, s.Since = string(state.Phase), state.Text, state.PID, state.Restarts, state.Since
	s.Log = child.Log()
	if s.Phase != "ready" {
		return s
	}
	chain, err := a.node.BlockchainInfo(ctx)
	if err != nil {
		s.Problem = node.Sentence(err)
		return s
	}
	network, err := a.node.NetworkInfo(ctx)
	if err != nil {
		s.Problem = node.Sentence(err)
		return s
	}
	s.Asked = true
	s.Version = network.Subversion
	s.Height, s.Headers = chain.Blocks, chain.Headers
	s.Progress, s.IBD = chain.VerificationProgress, chain.InitialBlockDownload
	s.Peers = network.Connections
	s.TipTime = time.Unix(chain.Time, 0)
	return s
}

// nodeIsReady tells whether the node's RPC serves.
func (a *Appliance) nodeIsReady() bool {
	child := a.child.Load()
	return child != nil && child.State().Phase == bitcoind.PhaseReady
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
