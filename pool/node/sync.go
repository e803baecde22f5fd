package node

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dmpool/dmpool/pool/node/guard"
)

// Stage is how far a node that answers is with its chain.
type Stage string

// The stages, in their order.
const (
	StageHeaders    Stage = "headers-presync" // it looks for the longest chain of headers
	StageDownload   Stage = "ibd"             // it downloads and checks the blocks
	StageCatchingUp Stage = "catching-up"     // it has nearly all of them, or too few peers to know
	StageReady      Stage = "ready"           // it has what the others have: miners may work on its templates
)

// Sync is a stage and, in a sentence, what the node does in it.
type Sync struct {
	Stage Stage
	Text  string
}

// enoughPeers is how many nodes have to agree before a template is worth the miners' electricity. The private chains
// have no others.
func enoughPeers(network string) int {
	switch network {
	case "main":
		return 3
	case "practice", "regtest":
		return 0
	}

	return 1
}

// SyncOf decides from what a node on network reports how far it is. bitcoind itself refuses templates while it
// downloads, or has no peers, only on the main network; and having been in step once, it does not say that it is behind.
// presynced is the greatest height of headers that it has looked at before it keeps any (see PresyncedHeaders).
func SyncOf(network string, chain ChainInfo, peers NetworkInfo, presynced int32) Sync {
	enough := enoughPeers(network)
	missing := chain.Headers - chain.Blocks
	alone := ""
	if peers.ConnectionsOut == 0 {
		alone = " It has no connection to other nodes; is this box connected to the Internet?"
	}
	switch {
	case enough == 0:
		return Sync{StageReady, "It is ready: the chain lives on this box alone."}
	case chain.Headers == 0 && presynced > 0:
		return Sync{StageHeaders, fmt.Sprintf("It looks for the longest chain: %d headers so far.%s", presynced, alone)}
	case chain.Headers == 0 && alone != "":
		return Sync{StageHeaders, "It is at the start of the chain and looks for other nodes." + alone}
	case chain.Headers == 0:
		return Sync{StageHeaders, "It is at the start of the chain and asks other nodes for the longest one."}
	case chain.InitialBlockDownload && missing <= 1:
		return Sync{StageDownload, fmt.Sprintf("It is at block %d, which is old, and asks other nodes for newer ones.%s", chain.Blocks, alone)}
	case chain.InitialBlockDownload:
		return Sync{StageDownload, fmt.Sprintf("It downloads and checks the chain: block %d of %d, %s of the work.%s",
			chain.Blocks, chain.Headers, percent(chain.VerificationProgress), alone)}
	case missing > 1:
		return Sync{StageCatchingUp, fmt.Sprintf("It is catching up: %d blocks are missing.%s", missing, alone)}
	case peers.ConnectionsOut < enough:
		return Sync{StageCatchingUp, fmt.Sprintf("It is at block %d and waits for connections to other nodes: %d of %d.%s",
			chain.Blocks, peers.ConnectionsOut, enough, alone)}
	}

	return Sync{StageReady, fmt.Sprintf("It has every block that its peers have: %d.", chain.Blocks)}
}

// percent writes a progress rounded down, so that 100 % is the whole.
func percent(p float64) string {
	return fmt.Sprintf("%.2f %%", math.Floor(min(max(p, 0), 1)*10_000)/100)
}

// NotReadyError says why a node must not give work yet. It passes by itself.
type NotReadyError struct{ Sync }

// Error returns what the node does.
func (e *NotReadyError) Error() string { return e.Text }

// NotReady reports whether err says that the node is not ready yet.
func NotReady(err error) bool {
	_, waiting := errors.AsType[*NotReadyError](err)
	return waiting
}

// Ready returns nil when miners may work on the node's templates, else a [*NotReadyError], or why it could not be asked.
func (c *Client) Ready(ctx context.Context) error {
	facts, err := c.vouch(ctx)
	if err != nil {
		return err
	}
	network := guard.Network(facts.Chain, facts.Challenge)
	if enoughPeers(network) == 0 {
		return nil
	}
	chain, err := c.BlockchainInfo(ctx)
	if err != nil {
		return err
	}
	peers, err := c.NetworkInfo(ctx)
	if err != nil {
		return err
	}
	if s := SyncOf(network, chain, peers, 0); s.Stage != StageReady {
		return &NotReadyError{s}
	}

	return nil
}

// PresyncedHeaders returns the greatest height of headers that a peer has shown while the node only looks whether they
// are worth keeping; -1 when no peer does that now (getpeerinfo).
func (c *Client) PresyncedHeaders(ctx context.Context) (int32, error) {
	var peers []struct {
		Presynced int32 `json:"presynced_headers"`
	}
	if err := c.Call(ctx, "getpeerinfo", &peers); err != nil {
		return -1, err
	}
	most := int32(-1)
	for _, p := range peers {
		most = max(most, p.Presynced)
	}

	return most, nil
}
