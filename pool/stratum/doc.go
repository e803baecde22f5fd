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
// to be durable, and writes the answers, in order. A share that is a block
// reaches [Backend.Found] before anything else is asked about it. A share that
// could not be made durable ends the session without an answer and is forgotten,
// so that it counts when the miner sends it again.
//
// # Who writes, and who may block whom
//
// What is to be sent goes into the session's outbox. One at a time writes what
// is in there: whoever put something into it while nobody was writing. That is
// the reader, for answers, or whoever publishes a job. The publisher only
// writes what the socket takes at once, which is nearly always everything, and
// leaves the rest to a goroutine; no session's lock is held meanwhile. So a miner
// that stops reading delays nobody; its outbox fills up and it is dropped.
//
// A quiet miner is a socket, a reader that waits on a stack of 4 KiB and as
// much again for what is known about it. One timer per port looks after all of
// its sessions, in ten turns, one a second.
//
// # Whom the coinbase pays
//
// [Server.Publish] gives everybody the same job. [Server.PublishOwn] gives each
// session what a function of the pool makes of it for the first worker that the
// session was authorised with, so that the coinbase can pay the miner itself; it
// is made once for each account and shared by all its sessions. A coinbase with
// many outputs is more than some firmware can hold: [Server.CoinbaseRoom] says how
// large it should be, and with [Server.PublishWide] whoever cannot hold it, or comes
// later and cannot, gets a job with a smaller one.
//
// # Coming back
//
// The id of a session is its extranonce1, drawn by lot. A miner that presents it
// within ten minutes after its connection closed, from the same network (/24, or
// /64 of IPv6), gets it again, and its unsent shares still count; over a restart
// [Server.Closed] and [Server.Recall] carry the ids. Over a restart in order
// [Server.Held] carries the networks as well, and the last jobs on the tip, whole,
// as a share for one of them may be a block, and the shares that have counted, so
// that none counts twice. After a crash there is no such record: a resumed miner's
// shares for jobs from before it are "Job not found".
// The difficulty that suited a worker is remembered by its name and kind of
// device; it starts at half of that.
//
// # Strangers
//
// An operator's bans ([Server.Enforce]) are told to whoever asks to be let in, by a
// text that stands in the miner's log, and end the sessions that they are about.
//
// Addresses that anybody on the Internet may have are limited in number and
// pace of their connections, and banned for a while when they keep talking
// something else. A private address is never limited: it may be a whole farm
// behind one router. A quarter of the places, and of those for sessions that may
// be resumed, is kept for private addresses, and the difficulty that suits a
// stranger is remembered only after an hour of shares. Every session may submit
// only so often; a block among the excess is still a block.
//
// Whatever a stranger manages to break, only his own connection ends: whoever
// works for a session defers session.recovered.
//
// # Difficulty
//
// A difficulty belongs to a job of a session. It is announced directly before
// the job that it applies to, in the same write, and a share is accepted and
// credited at the lower of its job's difficulty and the session's present one:
// devices disagree about when a new difficulty begins. Who has a say in it, and
// in which order, is written down in claims.choose.
//
// What is never sent: mining.set_extranonce and mining.set_version_mask, as both
// are fixed once told; mining.ping, as a job every 30 seconds is the sign of
// life; client.get_version and client.show_message, as most firmware takes what
// it does not know for an answer. client.reconnect is the last remedy for a miner
// that sends nothing but invalid shares.
//
// The parsers and [Notify] serve a client as well; see package cpuminer.
package stratum
