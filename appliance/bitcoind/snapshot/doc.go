// Package snapshot reads the files that bitcoind's dumptxoutset writes: all coins
// that are unspent after one block. A node that is given such a file begins
// behind that block and verifies the history before it in the background
// (assumeutxo).
//
// # What is checked where
//
// A node takes a snapshot only of the few blocks that its own program names, and
// only if the hash over all its coins is the one that its program names as well.
// That check is the node's and comes last, when all coins have been read.
// This package looks before that, so that hours are not spent on a file that will
// be refused:
//
//   - [ReadHeader] and [Judge]: it is a snapshot, of this network, of a block that
//     is pinned here with its height and hash ([Pins]);
//   - [Walk]: it is whole, to the byte, and every coin in it is possible.
//
// Neither proves that the coins are the right ones. The node does.
//
// # What the file looks like
//
// All integers are little-endian; a varint is bitcoind's own, seven bits to a
// byte, the highest first.
//
//	magic    5   "utxo" 0xff
//	version  2   2
//	network  4   what messages of that network begin with
//	block   32   hash of the block after which these coins are unspent
//	coins    8   how many coins follow
//
//	per transaction with coins:
//	txid    32
//	count    compact size
//	per coin:
//	  output  compact size, its number in the transaction
//	  origin  varint, twice the height of its block, plus 1 for a coinbase
//	  amount  varint, compressed
//	  script  varint, 0 to 5: a known form with 20 or 32 bytes; else its length plus 6
//
// It is what Bitcoin Core writes since version 28, and was measured on the real
// program.
package snapshot
