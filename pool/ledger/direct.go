package ledger

import (
	"bytes"
	"cmp"
	"slices"
)

// maxLegacyOutputs is how many outputs of the old kind (P2PKH) a coinbase may
// have: each costs 4 of the 400 signature operations that a node keeps free for
// the coinbase when it fills a block.
const maxLegacyOutputs = 100

// CoinbaseLimits bound the outputs of a coinbase that pays miners itself.
type CoinbaseLimits struct {
	MinOutput int64 // sat, the least that is worth an output
	Room      int   // bytes for all outputs together, the pool's included
}

// Direct chooses which credits of a split the coinbase pays itself: the largest
// ones, a tie to the lower account id, that are worth an output and fit into
// the room. The rest stays in one output to the pool, together with its fee,
// and is owed to the miners in the ledger:
//
//	value ─┬─ outputs  credits paid by the coinbase, by descending amount
//	       └─ rest     fee + donation + reserve + all other credits, to the pool's script
//
// A rest that is not worth an output itself takes the smallest of the others
// along, so every output is worth at least MinOutput as long as there are two.
// scripts has the script of each account; a miner who mines to the pool's own
// script is always owed, as the pool's wallet gets the coins either way.
func Direct(split SplitResult, scripts map[int64][]byte, pool []byte, l CoinbaseLimits) (outputs []Credit, rest int64) {
	rest = split.Fee + split.Donation + split.Reserve
	for _, c := range split.Credits {
		rest += c.Amount
	}

	sorted := slices.Clone(split.Credits)
	slices.SortFunc(sorted, func(a, b Credit) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(a.Account, b.Account))
	})

	room, legacy := l.Room-outputSize(pool), legacyOutputs(pool)
	for _, c := range sorted {
		if c.Amount < max(l.MinOutput, 1) {
			break
		}
		script := scripts[c.Account]
		more := legacyOutputs(script)
		if len(script) == 0 || bytes.Equal(script, pool) || outputSize(script) > room || legacy+more > maxLegacyOutputs {
			continue
		}
		room -= outputSize(script)
		legacy += more
		rest -= c.Amount
		outputs = append(outputs, c)
	}

	if n := len(outputs); n > 0 && 0 < rest && rest < l.MinOutput {
		rest += outputs[n-1].Amount
		outputs = outputs[:n-1]
	}

	return outputs, rest
}

// outputSize is what an output takes in a transaction: amount, length, script.
// Scripts of addresses are shorter than 253 bytes, so their length is one byte.
func outputSize(script []byte) int { return 8 + 1 + len(script) }

// legacyOutputs returns 1 for a script that a node counts as a signature
// operation where it stands: OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG.
func legacyOutputs(script []byte) int {
	if len(script) == 25 && script[0] == 0x76 {
		return 1
	}

	return 0
}
