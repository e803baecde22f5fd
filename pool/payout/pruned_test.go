package payout

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/node"
)

// prune mines and has the node throw away its oldest blocks.
func (r realBox) prune() {
	r.t.Helper()
	ctx := r.t.Context()
	r.mine(600)
	var height int32
	r.must(r.node.Call(ctx, "pruneblockchain", &height, r.tip().Blocks-300))
	hash, err := r.node.BlockHash(ctx, 1)
	r.must(err)
	if err := r.node.Call(ctx, "getblock", nil, hash); !node.IsCode(err, node.ErrCodeMisc) {
		r.t.Fatalf("the node still has the first block after pruning to %d: %v", height, err)
	}
}

// TestFault55Pruned: a node that has thrown away old blocks pays like any other.
func TestFault55Pruned(t *testing.T) {
	r := newRealBox(t, "-prune=1", "-fastprune")
	r.prune()
	r.sitDown()
	p := r.onTheWay()
	r.must(r.desk.Bump(t.Context(), changeOf(p, "7")))
	r.advance()
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// TestFault56OldWalletOnPrunedNode: a backup of the wallet cannot catch up with
// blocks that are gone, and the operator is told so.
func TestFault56OldWalletOnPrunedNode(t *testing.T) {
	r := newRealBox(t, "-prune=1", "-fastprune")
	backup := filepath.Join(t.TempDir(), "wallet.bak")
	r.must(r.node.WalletCall(t.Context(), "backupwallet", nil, backup))
	r.prune()

	err := r.node.Call(t.Context(), "restorewallet", nil, "restored", backup)
	if !node.IsCode(err, node.ErrCodeWallet) {
		t.Fatalf("restorewallet: %v, want an error of the wallet", err)
	}
	if got := node.Sentence(err); !strings.Contains(got, "older than the blocks that the node still has") {
		t.Errorf("the operator reads %q for %v", got, err)
	}
}
