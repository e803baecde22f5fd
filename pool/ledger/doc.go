// Package ledger is the only owner of money: the file ledger.db, whose books
// balance at every moment, and the rules by which a block becomes credits.
//
// # Double entry
//
// Whatever happens to money is an [Event] with postings that add up to zero.
// Debit is positive, credit negative, so the assets of the pool are positive
// balances and what it owes is negative ones:
//
//	blk:<hash>:credit:0   wallet:immature    +5000
//	                      pool:fee             -75
//	                      m:101:pending      -2955
//	                      m:102:pending      -1970
//
// The key of an event says what happened and is unique, so nothing is booked
// twice, whoever asks again after whatever crash. Events are only ever added: a
// mistake of the world, such as a block that leaves the chain, is reversed by an
// event of its own with the same postings negated.
//
// An event is written in one transaction: the event, its postings, and last its
// seal. A trigger refuses the seal when the postings do not add up to zero, when
// they overdraw a miner, or when a reversal is not exact; other triggers refuse to
// change or remove what was written. Each event carries the hash of the one before
// it ([Digest]), so that a changed past shows. [Ledger.Check] recomputes all of it.
//
// # From block to balance
//
//	RecordFound ─► raw block on disk, before it is submitted
//	Freeze      ─► who worked how much in the window, and the Split: fixed for ever
//	Observe     ─► in the chain:  credit   wallet:immature  ─► m:…:pending
//	               deep enough:   mature   m:…:pending      ─► m:…:payable
//	               out of it:     orphan   the exact reversal of both
//
// A coinbase can pay miners itself ([Terms.PaysMiners]). Who is due what is then
// recorded with the block, as it was fixed with the job, and FreezeCoinbase reads
// from the block's own coinbase what of it is paid. The wallet gets the rest, and the
// credit holds no more than that; what was paid passes through the books at once:
//
//	blk:<hash>:direct:0   ext:coinbase   ─► m:…:reserved
//	blk:<hash>:settle:0   m:…:reserved   ─► ext:coinbase
//
// A block that the node does not know is not an orphan. No money moves until its
// header says whether it is in the chain. Rewards of paid blocks can still be
// reversed; the miner's payable is negative then, and later credits reduce it. The
// bytes of a block are kept until it lies 1000 blocks deeper than that takes.
//
// # Payouts
//
// Package payout moves m:…:payable to m:…:reserved and out of the wallet, through
// [Ledger.Update] and [Tx.Post]. What is the pool's own ([Sums.Own]) leaves the same
// way for a cold address, by way of an account of its own:
//
//	pay:7:reserve         pool:fee       ─► pool:sweep
//	pay:7:settle:<txid>   pool:sweep     ─► out of wallet:spendable, with pool:txfee
//
// Its tables and those of the appliance live in the same file, so that a decision
// and its posting are one transaction; their SQL belongs to those packages and only
// the schema is here.
package ledger
