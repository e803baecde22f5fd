// Package receipt writes the split of a block down so that anybody can check it
// without the pool, and checks such a file.
//
// A receipt is published when the split is frozen, long before the money can be
// paid. It holds all that the split depends on and what came out:
//
//	header, coinbase, merkle branch ─► the block exists and is worth value
//	work by account and epoch       ─► score of each account in the window
//	scores and terms                ─► fee, donation, reserve and credits
//	outputs of the coinbase         ─► what of the credits it paid itself
//
// [Receipt.Verify] follows these arrows with integers and exact fractions, the one
// to the credits with the very function that the pool credits by ([ledger.Split]).
// Where the coinbase pays miners itself the scores are those of the moment at which
// its job was made, and the work behind them is not written down. What Verify
// cannot know is whether the work is true: that is for each miner to compare with
// its own devices, and the sums show that nobody was forgotten or counted twice.
//
// # The file
//
// It is JSON in one canonical form, so that its SHA-256 ([Digest]) is a
// fingerprint: two people with the same digest have the same split. Amounts are
// satoshis. Work is in expected hashes; it and the fractions are text, because they
// do not fit into 64 bits.
//
// Accounts are in the order in which the pool opened them, which decides the last
// satoshi between equal remainders. They are named by a [Tag], so that a receipt
// lists nobody's address, and a miner that has one can still find its own line.
// As with the observer pages, whoever knows an address can look it up.
package receipt
