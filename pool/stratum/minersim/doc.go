// Package minersim simulates miners for tests: from a NerdMiner to a rental
// proxy, each says what its firmware says, in the same order and at the same
// pace, mines real shares with a few kilohashes per second, and breaks where
// its firmware breaks.
//
// # Profile and device
//
// A [Profile] is a kind of miner, written down as data: [Profiles] has them
// all. A [Device] is one such miner at one pool; [Device.Run] connects, mines
// and connects again as the firmware would. It returns a [*FaultError] as soon as
// the pool does what the firmware cannot bear: a line that is too long, an
// answer out of order, a job number that comes back, a difficulty without its
// job, silence. A rejected share is no fault; [Device.Stats] counts it. A [Crowd]
// is many devices, for tests that restart the pool under them.
//
// # A second opinion
//
// The package imports nothing of this module. It reads the protocol, builds
// the coinbase and hashes the header with code of its own, so that an error in
// the pool's codec is not repeated here but shows as a rejected share.
//
// What the profiles know about firmware comes from its sources as far as these
// are open. Chips are simulated as far as a pool can notice them: which bits
// they roll, which nonces they report and how long they go on with an old job.
package minersim
