// Package guard decides whether a node follows the chain that a pool is for.
//
// A program that calls itself bitcoind, answers like one and shows the familiar numbers may still be on another chain:
// Bitcoin Knots from version 29.4 on leaves Bitcoin at block 961640 of the main network, where it replaces SHA-256 by
// BLAKE2b. A miner of SHA-256 on that chain works for nothing, and a payout there is signed with rules of its own. So
// nothing that costs work or money is asked of a node before this package has looked at it.
//
// The decision is a pure function, [Judge], of what the node reports about itself, [Facts]. Whatever can be computed
// is computed here: the tip's header has to be 80 bytes whose own double SHA-256 meets the target that stands in it.
// A node that passes may still lie, but only as far as somebody has paid for in proof of work.
//
// The rules hold on every network. Only two are about the networks whose coins or peers are public: that Knots is not
// used there at all, and which versions of Bitcoin Core have been tried.
package guard
