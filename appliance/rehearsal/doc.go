// Package rehearsal is the fire drill: it proves on a throw-away box that the whole way
// from a miner's share to a confirmed payout works on this machine, with this program
// and this node, and back from a backup.
//
// The box is an [appliance.Appliance] like that of everybody, set up and run by the
// same calls as `dmpool setup` and `dmpool serve`, with a node of its own; the miners are
// package cpuminer, over Stratum. The drill only does what people, miners and the rest of
// the network do, and looks at what comes out: in the books, at the node, and in the
// miners' own wallet. Nothing of the pool is done again here.
//
// # Why the chain is regtest
//
// The practice network would do, but a block there costs millions of hashes, on a small
// board ten seconds of all its cores, and a reward needs a hundred more to be mature.
// On regtest a block takes two. All else is the same: the same code decides, and a
// private chain in either case.
//
// # Blocks from elsewhere
//
// Most blocks of a chain are others'. Two that come together, out of the drill's own
// hands (rival.go), push the pool's first block off the chain, as happens to pools;
// a hundred that the node makes let the second one mature, and six more settle the
// payout.
//
// # The way back
//
// The drill makes a backup, takes the file away and deletes the box, all but the chain
// of its node: that is what another node would get from its peers, and here there are
// none. A new box is made of the backup alone; its wallet, too, comes out of that. Then
// each line that the books could say before is compared.
package rehearsal
