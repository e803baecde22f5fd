package snapshot

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// Base is a block whose coins can be the beginning of a node.
type Base struct {
	Height int32
	Block  chainhash.Hash
	// Coins is the hash over all coins (hash_serialized), as dumptxoutset tells it
	// and as a node compares it.
	Coins chainhash.Hash
}

// Pins returns the bases of a network that this program knows, the newest first;
// none for most networks. They are those of Bitcoin Core's own source; which of
// them a node takes depends on its version.
func Pins(network string) []Base {
	switch network {
	case "main":
		return []Base{
			pin(935_000, "0000000000000000000147034958af1652b2b91bba607beacc5e72a56f0fb5ee", "e4b90ef9eae834f56c4b64d2d50143cee10ad87994c614d7d04125e2a6025050"),
			pin(910_000, "0000000000000000000108970acb9522ffd516eae17acddcb1bd16469194a821", "4daf8a17b4902498c5787966a2b51c613acdab5df5db73f196fa59a4da2f1568"),
			pin(880_000, "000000000000000000010b17283c3c400507969a9c2afd1dcf2082ec5cca2880", "dbd190983eaf433ef7c15f78a278ae42c00ef52e0fd2a54953782175fbadcea9"),
			pin(840_000, "0000000000000000000320283a032748cef8227873ff4872689bf23f1cda83a5", "a2a5521b1b5ab65f67818e5e8eccabb7171a517f9e2382208f77687310768f96"),
		}
	case "signet":
		return []Base{
			pin(290_000, "0000000577f2741bb30cd9d39d6d71b023afbeb9764f6260786a97969d5c9ac0", "97267e000b4b876800167e71b9123f1529d13b14308abec2888bbd2160d14545"),
			pin(160_000, "0000003ca3c99aff040f2563c2ad8f8ec88bd0fd6b8f0895cfaf1ef90353a62c", "fe0a44309b74d6b5883d246cb419c6221bcccf0b308c9b59b7d70783dbdf928a"),
		}
	}
	return nil
}

// pin makes a base of its two hashes as people write them. A test reads them all.
func pin(height int32, block, coins string) Base {
	return Base{Height: height, Block: mustHash(block), Coins: mustHash(coins)}
}

func mustHash(text string) chainhash.Hash {
	h, err := chainhash.NewHashFromStr(text)
	if err != nil {
		panic("snapshot: a pinned hash: " + err.Error())
	}
	return *h
}
