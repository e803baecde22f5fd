// Package stratum speaks Stratum V1 with miners. It knows sessions, lines and
// difficulties; what a share is worth and where it is kept is the pool's
// business, behind the one interface [Backend].
//
// # The life of a session
//
//	miner                                   pool
//	  mining.configure (optional)      →    version bits that may be rolled
//	  mining.subscribe                 →    extranonce1, size of extranonce2
//	  mining.authorize                 →    true, and in the same write:
//	                                   ←    mining.set_difficulty, mining.notify
//	  mining.submit                    →    true once the share is on disk, or why not
//	                                   ←    mining.notify at least every 30 s
//
// The order of the first three is free and firmware makes use of that.
//
// # The life of a share
//
// One goroutine reads a session's connection and takes a line all the way to
// its verdict: parse, hash, block?, judge, queue for the share log. It does so
// for every line that has already arrived, then waits once for all the shares
// to be durable, and hands the answers, in order, to the session's writer. A
// share that is a block reaches [Backend.Found] before anything else is asked
// about it.
//
// # Who may block whom
//
// Publishing a job only appends to each session's outbox. The writer goroutine
// alone writes to the connection, and no lock is held while it does, so a
// miner that stops reading delays nobody; its outbox fills up and it is
// dropped.
//
// # Difficulty
//
// A difficulty belongs to a job of a session. It is announced directly before
// the job that it applies to, in the same write, and a share is accepted and
// credited at the lower of its job's difficulty and the session's present one:
// devices disagree about when a new difficulty begins.
//
// The parsers and [Notify] serve a client as well; see package cpuminer.
package stratum
