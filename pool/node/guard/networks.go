package guard

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/work"
)

// Checkpoint is a block that a chain must have.
type Checkpoint struct {
	Height int32
	Hash   chainhash.Hash
}

// rules are what makes a chain that one.
type rules struct {
	name        string // in the glossary
	chain       string // as bitcoind calls it
	challenge   string // of a signet, hex
	public      bool   // Knots leaves it, or has left it
	easiest     work.Target
	checkpoints []Checkpoint // genesis first
}

// Checkpoints returns the blocks that the chain of network must have, lowest first, for the caller to ask for; none when
// the name is not known.
func Checkpoints(name string) []Checkpoint { return networks()[name].checkpoints }

// Network returns the network of the glossary that a chain of bitcoind is, by its name and, on a signet, its challenge.
// It is empty for one on which the pool does not mine.
func Network(chain, challenge string) string {
	return Facts{Chain: chain, Challenge: challenge}.network()
}

func (f Facts) network() string {
	for name, n := range networks() {
		if f.Chain == n.chain && f.Challenge == n.challenge {
			return name
		}
	}

	return ""
}

// practiceChallenge is OP_TRUE: anybody may extend the practice chain.
const practiceChallenge = "51"

// networks are those of the glossary. Behind genesis stands the youngest block that this release knows for sure: one of
// those whose chain state Bitcoin Core's own assumeutxo table describes.
func networks() map[string]rules {
	list := make(map[string]rules)
	add := func(n rules, params *chaincfg.Params, known ...Checkpoint) {
		// A constant of the chain, so it always expands.
		n.easiest, _ = work.TargetFromBits(params.PowLimitBits)
		n.checkpoints = append([]Checkpoint{{0, *params.GenesisHash}}, known...)
		list[n.name] = n
	}
	add(rules{name: "main", chain: "main", public: true}, &chaincfg.MainNetParams,
		checkpoint(935_000, "0000000000000000000147034958af1652b2b91bba607beacc5e72a56f0fb5ee"))
	add(rules{name: "testnet4", chain: "testnet4", public: true}, &chaincfg.TestNet4Params)
	add(rules{name: "signet", chain: "signet", challenge: hex.EncodeToString(chaincfg.DefaultSignetChallenge)}, &chaincfg.SigNetParams,
		checkpoint(290_000, "0000000577f2741bb30cd9d39d6d71b023afbeb9764f6260786a97969d5c9ac0"))
	add(rules{name: "practice", chain: "signet", challenge: practiceChallenge}, &chaincfg.SigNetParams)
	add(rules{name: "regtest", chain: "regtest"}, &chaincfg.RegressionNetParams)

	return list
}

// checkpoint makes one of a hash as people write it. A hash that is misspelt here would refuse every node, and the test
// says so.
func checkpoint(height int32, hash string) Checkpoint {
	c := Checkpoint{Height: height}
	_ = chainhash.Decode(&c.Hash, hash)

	return c
}
