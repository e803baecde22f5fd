// Package appliance is the box around the mine: it supervises the node, sets up
// and opens the wallet, keeps settings, operators and the audit log, runs the
// scheduled jobs, and says how everything is.
//
// [Appliance.Run] is the one place where lifetimes meet. Starting: databases,
// ports, node, wallet, pool, jobs. Stopping is the same backwards: miners are
// drained first, the node is stopped last, so that a block found in the last
// second still arrives there.
//
// # What lies in the data directory
//
//	network                     the network of this box, one word
//	lock                        held by the running daemon
//	<network>/ledger.db         money, settings, operators, audit: precious
//	<network>/shares.db         the share log: large and replaceable
//	<network>/jobs.held         from one stop to the next start: the miners' last jobs
//	<network>/passphrase        the wallet's passphrase when the box unlocks by itself, 0600
//	<network>/node/<chain>/     the node's own directory with bitcoin.conf
//
// Each network has its own folder, so switching never mixes or deletes
// anything.
package appliance
