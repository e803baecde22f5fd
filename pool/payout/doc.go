// Package payout pays miners what the ledger owes them, each exactly once,
// whatever crashes, times out, is clicked twice or has its answer lost.
//
// A payout is one batch: many accounts, one transaction. It goes through the
// states of [State], and every arrow is one transaction of the database, with the
// calls to the wallet between them, never inside:
//
//	draft      choose who is due, move their money from payable to reserved
//	           ── the wallet builds a PSBT; it is compared with all that is known ──
//	pending    PSBT, expected txid, digest and the lease of its coins are stored
//	approved   a person said yes to this revision and this digest
//	           ── the wallet signs; the result is compared with the plan ──
//	signed     the signed bytes and their txid are stored
//	           ── sendrawtransaction ──
//	broadcast  the node has them
//	confirmed  a block has them
//	settled    deep enough: reserved money is booked as paid
//
// # Why nobody is paid twice
//
// The signed bytes are on the disk before they leave the process, and from then
// on only these bytes are sent, for as long as it takes. Sending them a second
// time pays nobody a second time. A crash before that commit leaves a signature
// that nobody has seen; the wallet makes the same one again.
//
// Nothing is built from other coins and nothing released once a signature may
// exist. What a node answers can be misleading ("inputs missing or spent" is also
// said of a payout that arrived), so no answer of it ends a payout. Only
// confirmations move it on, and only their disappearance moves it back.
//
// # What a person decides
//
// A [Policy] bounds what is paid: per payout, within 24 hours, for the network.
// It is asked when a payout is drafted, approved and signed, each time as it is
// at that moment. The approval is bound to a digest over everything that the
// transaction pays, to whom, from which coins, and who bears which part of the
// network fee ([FeePolicy]); that is fixed before anybody is asked. Above a total
// of the operator's choice two different people have to agree. Below another one,
// which is zero unless somebody sets it, nobody has to ([Desk.ApproveByRule]).
//
// # Before a signature
//
// Before a signature can exist a payout can be cancelled, or expires, even if
// somebody sets the clock back meanwhile, and
// compare-and-set on id, state and revision lets one of two clicks, tabs or passes
// win.
//
// A wallet without private keys cannot sign. Then the approved transaction is
// handed out ([Desk.Export]) and its signatures are taken back ([Desk.Import]);
// once it was handed out, a signature may exist.
//
// # When it does not confirm
//
// A transaction whose fee turns out too low can be followed by others that spend
// the same coins, so that one of them confirms at most: this family is all that
// the payout can become, and each member is looked up as long as it could be in
// a block, whatever we think of it. [Desk.Bump] adds a member that pays the same
// amounts and a higher fee; whichever is in a block settles the payout, with its
// own fee. [Desk.CancelSent] adds one that pays nobody but the wallet; six blocks
// on top of it release the money. [Desk.Sponsor] adds none: it spends the change
// of the payout so that both are worth mining. And when foreign transactions have
// the coins for good, or the blocks in which they were earned are gone,
// [Desk.GiveUpDead] releases the money because a person says so.
//
// Everything that a block has brought about is undone when the block leaves the
// chain, a release included: the money is set aside again, even if an account then
// owes the pool what it got meanwhile.
//
// # Whom to believe
//
// The ledger says who is owed what. The wallet is asked to build and to sign, but
// its answers are checked against the ledger and against coins that it listed
// before ([Plan]); the signature is verified here. Which coins belong to a payout
// is written in the ledger, the wallet's own locks are a copy. And if money
// leaves the wallet that the ledger knows nothing of, or coins are missing that the
// books say are there ([Comparison]), everything stops ([Desk.Frozen]) until a
// person has said what it was ([Desk.Lift]). What it was can then be put right on the account of a miner who
// has it, and a debt that nobody will pay be written off ([Desk.Adjust]).
//
// # What is the pool's own
//
// The pool's earnings are in the same wallet as the miners' money. [Desk.Sweep] moves
// them to an address whose keys are elsewhere, by a payout of another [Purpose]: its
// one item is of the pool's account pool:sweep, on which the income is set aside
// as a miner's money is reserved. How much that can be, the books say
// ([ledger.Sums.Own]), and the address is the one that the [Policy] names: both are
// looked at again when it is approved and when it is signed. A person always
// approves it. All else is as above.
//
// # Who drives it
//
// [Desk.Draft], [Desk.Approve] and [Desk.Cancel] only write to the ledger. What a
// person does about a payout that was signed ([Change]) asks the node first, and
// [Payout.Can] tells what is possible.
//
// [Desk.Advance] talks to the wallet and can be called at any time: by a timer,
// after a block, after a click. Whatever keeps a payout from going on is a
// sentence in its Problem, and is tried again at the next pass.
package payout
