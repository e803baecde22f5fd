package work

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// doubleHash is SHA-256 of SHA-256, Bitcoin's hash for transactions, merkle
// nodes and headers.
func doubleHash(b []byte) chainhash.Hash {
	once := sha256.Sum256(b)
	return sha256.Sum256(once[:])
}

// MerkleBranches returns the right-hand siblings on the way from the coinbase,
// leaf 0, to the merkle root, lowest first. The coinbase itself is not needed
// for them: whatever is computed from it stays at index 0 and is never read.
func MerkleBranches(txids []chainhash.Hash) []chainhash.Hash {
	level := make([]chainhash.Hash, 1, len(txids)+2)
	level = append(level, txids...)

	var branches []chainhash.Hash
	for len(level) > 1 {
		branches = append(branches, level[1])
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := 2; i < len(level); i += 2 {
			level[i/2] = hashPair(level[i], level[i+1])
		}
		level = level[:len(level)/2]
	}
	return branches
}

// hashPair returns the parent of two merkle nodes.
func hashPair(left, right chainhash.Hash) chainhash.Hash {
	var pair [2 * chainhash.HashSize]byte
	copy(pair[:chainhash.HashSize], left[:])
	copy(pair[chainhash.HashSize:], right[:])
	return doubleHash(pair[:])
}

// MerkleRoot climbs from the coinbase to the root.
func MerkleRoot(coinbase chainhash.Hash, branches []chainhash.Hash) chainhash.Hash {
	node := coinbase
	for i := range branches {
		node = hashPair(node, branches[i])
	}
	return node
}

// commitmentScript returns the output script by which a coinbase commits to
// the witnesses of all other transactions (BIP141). The coinbase's own leaf
// and the reserved value are both zero.
func commitmentScript(wtxids []chainhash.Hash) []byte {
	const opReturn, tag = "\x6a\x24", "\xaa\x21\xa9\xed"
	root := MerkleRoot(chainhash.Hash{}, MerkleBranches(wtxids))
	sum := hashPair(root, chainhash.Hash{})
	return append([]byte(opReturn+tag), sum[:]...)
}
