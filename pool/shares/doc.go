// Package shares is the share log: it makes accepted shares durable before the
// miner is told so, and answers the question that money is divided by: who did
// how much of the work that led to this block?
//
// # Group commit
//
// A commit costs one fsync, whether it holds one share or a thousand. So nobody
// waits for a timer: when the writer is idle a share is committed at once, and
// while a commit is under way the next batch gathers. Under load batches grow by
// themselves:
//
//	Append ─► seq, queue ─► batch n+1 (gathering)
//	                        batch n   (one transaction, one fsync) ─► Commit.Wait returns
//
// The queue is bounded. When it is full Append blocks, its caller stops reading
// from the miner's socket, and nothing is dropped.
//
// When the database fails the batch goes to the spool, a file of checksummed,
// fsynced records beside it, and Wait succeeds all the same. The spool is
// replayed before the next batch and at the next start. Shares reach the database
// strictly in the order of their seq, so "already there" is one comparison and the
// replay adds each share exactly once. Only when the spool fails too does Wait
// return an error, and the miner is told that the share did not count.
//
// # Single shares and sums
//
// A commit always holds its single shares. The sums over them, by shift, worker
// and 10 minutes, cost several times as much when there are as many workers as
// shares, so under load they are written with one commit of many, at least twice
// a second. What they lack is always the last shares of one shift, which
// the next start adds up from the single ones. Whoever needs exact sums up to a
// share, as [Log.Window] does, waits until they are written, and that hurries them.
//
// # Shifts and the window
//
// The score of a share is its work divided by the network's at the time of its
// job. A block is shared among the newest shares up to and including the one that
// found it, until their scores reach X (PPLNS with a unit window, bitcointalk
// 39832). The log keeps no single shares for that, but sums per shift and worker. A
// shift ends after a minute, when nBits change, with a share that found a block,
// at a restart, and before its sum could leave 62 bits:
//
//	       ◄──────────── window: scores add up to X ────────────►
//	──┬─────────┬─────────┬─────────┬─────────┬─────────┬────────┐
//	  │ shift   │ edge    │ shift   │ shift   │ shift   │ shift  │ block
//	──┴─────────┴─────────┴─────────┴─────────┴─────────┴────────┘
//
// The edge shift counts with the fraction that still fits, the same for all its
// workers. All sums are exact ([math/big]); no float comes near. Beside the scores a
// [Window] has the work they are made of, by network difficulty ([Epoch]), so that
// a miner can compare them with what its own devices did.
//
// [Log.Window] reads the window of a block from the database: that is what money
// is divided by. [Log.Running] has the same window, up to the newest share, in
// memory, for coinbases that pay miners before anybody knows who finds the block.
//
// # Charts
//
// Work is also rolled up into 10-minute slots per worker, later into hours and
// days. These are floats: nobody is paid by them. A hashrate is always work divided
// by the seconds in which the pool was there to receive it.
//
// What pages ask all the time, averages of up to seven days and the rejects of each
// worker, is added up once for the past and kept until somebody writes into the past
// (past.go). [Log.WorkEver] is what monitors count: exact, and never less than before
// (ever.go). [Log.Histogram] looks at a bounded number of the newest single shares.
package shares
