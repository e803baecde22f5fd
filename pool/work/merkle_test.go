package work

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// TestMerkleBranches climbs the branches and computes the whole tree for every
// shape of tree up to 41 leaves.
func TestMerkleBranches(t *testing.T) {
	coinbase := chainhash.HashH([]byte("coinbase"))
	for count := range 41 {
		var txids []chainhash.Hash
		for i := range count {
			txids = append(txids, chainhash.HashH([]byte{byte(i)}))
		}
		before := append([]chainhash.Hash(nil), txids...)

		got := MerkleRoot(coinbase, MerkleBranches(txids))
		want := treeRoot(append([]chainhash.Hash{coinbase}, txids...))
		if got != want {
			t.Errorf("%d transactions: root over branches %s, of the tree %s", count, got, want)
		}
		for i := range txids {
			if txids[i] != before[i] {
				t.Fatalf("%d transactions: MerkleBranches wrote to its argument", count)
			}
		}
	}
}

// TestCommitmentOfNothing: the commitment of a block without transactions is
// the same for all such blocks and seen in every one of them.
func TestCommitmentOfNothing(t *testing.T) {
	want := unhex(t, "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9")
	if got := commitmentScript(nil); string(got) != string(want) {
		t.Errorf("commitmentScript(nil) = %x, want %x", got, want)
	}
}
