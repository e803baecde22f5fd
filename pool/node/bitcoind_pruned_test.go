package node

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBitcoindWalletOlderThanThePrunedChain is a backup that nobody can bring up to date with this node. What its keys
// have is counted all the same, and the blocks that are there can be read.
func TestBitcoindWalletOlderThanThePrunedChain(t *testing.T) {
	n := startBitcoind(t, "regtest", "-prune=1", "-fastprune")
	ctx := t.Context()
	if err := n.CreateWallet(ctx, "pool", passphrase); err != nil {
		t.Fatal(err)
	}
	address, err := n.NewAddress(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := n.Descriptors(ctx)
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "old.dat")
	if err := n.BackupWallet(ctx, backup); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		count int
		to    string
	}{{1, address}, {900, stranger}} {
		if err := n.Call(ctx, "generatetoaddress", nil, m.count, m.to); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Call(ctx, "pruneblockchain", nil, 600); err != nil {
		t.Fatal(err)
	}
	chain, err := n.BlockchainInfo(ctx)
	if err != nil || !chain.Pruned || chain.PruneHeight < 2 {
		t.Fatalf("BlockchainInfo() = %+v, %v, want a pruned chain", chain, err)
	}

	err = n.RestoreWallet(ctx, "restored", backup)
	wantCode(t, "RestoreWallet(too old)", err, ErrCodeWallet)
	if !Pruned(err) {
		t.Errorf("not taken for a wallet of pruned blocks: %v", err)
	}
	if sentence := Sentence(err); !strings.Contains(sentence, "older than the blocks that the node still has") {
		t.Errorf("the node page would say %q", sentence)
	}
	if got, err := n.ScanCoins(ctx, keys); err != nil || got != 50_0000_0000 {
		t.Errorf("ScanCoins() = %v, %v, want the coin of a pruned block", got, err)
	}
	if err := n.Unlock(ctx, passphrase, time.Minute); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Rescan(pruned)", n.Rescan(ctx, 0), ErrCodeMisc)
	if err := n.Rescan(ctx, chain.PruneHeight); err != nil {
		t.Error(err)
	}
}
