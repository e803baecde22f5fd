// Package pool is the mine: it joins work, stratum, node, shares, ledger and
// payout into one running pool. It speaks no HTTP, starts no processes and
// holds no SQL. Start reading here.
//
// # The path of a share
//
// A miner's line arrives on its connection's own goroutine (stratum). The
// session finds the job, hashes the header and compares the hash with the
// block target in exact integers (work). If it is a block, [Pool.Found] writes
// the raw block into the ledger and hands it to the node before anything else
// happens to that share. Only then is the share judged: stale, time out of
// range, low difficulty, duplicate. A valid share goes to [Pool.Accepted],
// which queues it in the share log (shares); the miner reads "true" after the
// group commit that made it durable. A rejected share is a verdict, not an
// error: it is counted by its reason.
//
// # The path of a satoshi
//
// A found block freezes its split: the PPLNS window that ends with the winning
// share, copied into the ledger with the block. From then on everybody can have
// the receipt of the split and recompute it (receipt). When the node's header says
// that the block is in the chain, the ledger books the credits as pending; at
// maturity they become payable; if the block leaves the chain, the same
// postings are reversed. A payout reserves payable money, is funded as a PSBT,
// approved by the operator, signed, stored, and only then broadcast, the same
// bytes as often as it takes (payout). Nothing is ever built twice.
//
// A node that was killed comes back without its newest blocks, and nobody else may
// have ours. It gets them again before any work on its tip leaves the pool, and until
// then it is no witness against any of them (behind.go).
//
// # Whom the coinbase pays
//
// With the settlement "ledger" every coinbase pays the pool's wallet. With "solo"
// each session gets jobs that pay the address of its first name, with "direct" all
// get one that pays the miners of the PPLNS window as far as there is room; what
// does not fit is owed. A device whose firmware cannot hold that coinbase gets a job
// that pays the wallet, and takes nothing from the others. How a block will be
// settled, and who is due what, is the plan of its job and goes with it as the note
// of its layout, so a change of the settings applies from the next job on.
//
// Work waits until the wallet is known that blocks pay. Only with "solo", without fee
// and donation, there is nothing to pay it, and work waits for no wallet
// ([Settings.NeedsWallet]).
//
// Each coinbase is decoded by the witness before it leaves, its payees are compared
// with the plan, and a new list of payees is proposed to the node once. On a new tip
// nobody waits for that opinion: a job that pays the wallet goes out at once, and the
// direct one follows. If a direct job cannot be made, the block pays the wallet and
// is settled by the ledger, and [Status].Fallback says why.
//
// # Lifetimes
//
// [Pool.Run] owns every goroutine. It ends in order: miners are drained, the
// share log commits what it holds, a block that is on its way to the node
// arrives there. What miners may still have shares for, the last jobs with their
// transactions, goes into the file jobs.held, which the next start takes over and
// removes before it lets a miner in.
package pool
