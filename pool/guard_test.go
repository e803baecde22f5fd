package pool

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// A node that comes back as one of another chain stops the jobs at once and is
// no witness for the ledger; miners stay, and go on when it is in order again.
func TestGuardStopsTheJobs(t *testing.T) {
	b := newBench(t)
	b.eventually("miners get jobs", func() bool { return b.pool.Status().Serving })

	b.node.Handle("getdeploymentinfo", func(nodetest.Call) (any, error) {
		return map[string]any{"deployments": map[string]any{}, "blake2b": map[string]any{"height": 111}}, nil
	})
	b.node.Stop()
	b.node.Start("")
	b.eventually("jobs stop", func() bool { return strings.Contains(b.pool.Status().Reason, "BLAKE2b") })
	if err := b.pool.CheckBlocks(t.Context()); !node.Refused(err) {
		t.Errorf("CheckBlocks() = %v, want the node refused", err)
	}

	b.node.Handle("getdeploymentinfo", nil)
	b.eventually("jobs go on", func() bool { return b.pool.Status().Serving })
}

// A node that fell behind, as after a day without a network, makes the pool wait
// with its miners and not send them away.
func TestMinersWaitForNodeThatFellBehind(t *testing.T) {
	b := newBench(t)
	b.eventually("miners get jobs", func() bool { return b.pool.Status().Serving })

	// The fake's own chain needs no peers, so it plays a public one.
	genesis := chaincfg.TestNet4Params.GenesisBlock
	var header bytes.Buffer
	if err := genesis.Header.Serialize(&header); err != nil {
		t.Fatal(err)
	}
	for method, result := range map[string]any{
		"getblockchaininfo": map[string]any{
			"chain": "testnet4", "blocks": 1, "headers": 145, "bestblockhash": genesis.BlockHash(), "warnings": []string{},
		},
		"getblockhash":   genesis.BlockHash(),
		"getblockheader": hex.EncodeToString(header.Bytes()),
	} {
		b.node.Handle(method, func(nodetest.Call) (any, error) { return result, nil })
	}
	b.node.Stop()
	b.node.Start("")
	b.eventually("the node is not ready", func() bool { return node.NotReady(b.pool.Source.State().Err) })
	if want := "144 blocks are missing"; !strings.Contains(b.pool.Source.State().Problem, want) {
		t.Errorf("problem %q, want %q", b.pool.Source.State().Problem, want)
	}
	b.pool.watchSource(time.Now().Add(time.Minute))
	if got := b.pool.Status(); got.Serving || !got.Idle || !strings.HasPrefix(got.Reason, "the node does not have the whole chain yet") {
		t.Errorf("serving %t, idle %t: %q", got.Serving, got.Idle, got.Reason)
	}

	for _, method := range []string{"getblockchaininfo", "getblockhash", "getblockheader"} {
		b.node.Handle(method, nil)
	}
	b.node.Stop()
	b.node.Start("")
	b.eventually("jobs go on", func() bool { return b.pool.Status().Serving })
	if b.pool.Status().Idle {
		t.Error("miners who get jobs are said to wait")
	}
}
