package pool

import (
	"strings"
	"testing"

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
