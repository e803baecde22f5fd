package payout

// State is where a payout stands. The zero State is that of a payout which does
// not exist yet.
//
//	draft ─► pending ─► approved ─► signed ─► broadcast ─► confirmed ─► settled
//	  │         │          │
//	  └─────────┴──────────┴─► cancelled
//	            └──────────┴─► expired
//
// That is all, as long as it confirms. If it does not:
//
//	signed, broadcast ─┬─► cancelling ─┬─► cancelled   its coins are back, six blocks deep
//	                   │               ├─► confirmed   the payout was faster
//	                   └───────────────┴─► failed      all that was signed is dead
//
// And if a block leaves the chain that has brought it there:
//
//	confirmed, settled, failed ─► broadcast
//	cancelled                  ─► cancelling
//
// The border is between approved and signed: to its left no signature exists
// anywhere, unless the transaction was handed out to be signed elsewhere, so a
// payout can be given up and its money released. To its right a signed transaction
// that spends its coins is sent until one confirms, however long that takes.
// Usually that is the payout. A person can have its fee raised, or have its coins
// sent back to the wallet instead (cancelling): then the blocks decide which of the
// two it is. Only when all that was signed is provably dead, and a person says so,
// has it failed.
type State string

// The states of a payout.
const (
	Draft     State = "draft"     // money reserved, no transaction yet
	Pending   State = "pending"   // planned to the satoshi, waits for an approval
	Approved  State = "approved"  // a person said yes to exactly this plan
	Signed    State = "signed"    // the signed transaction is stored; it may be on its way
	Broadcast State = "broadcast" // the node has it
	Confirmed State = "confirmed" // in a block
	Settled   State = "settled"   // deep enough: booked as paid
	Cancelled State = "cancelled" // given up by a person, money released
	Expired   State = "expired"   // not approved or signed in time, money released

	Cancelling State = "cancelling" // its coins were sent back to the wallet, and that is not deep enough yet
	Failed     State = "failed"     // all that was signed is dead, as a person has confirmed; money released
)

// CanBecome reports whether a payout may go from s to t in one step.
func (s State) CanBecome(t State) bool {
	switch s {
	case "":
		return t == Draft
	case Draft:
		return t == Pending || t == Cancelled
	case Pending:
		return t == Approved || t == Cancelled || t == Expired
	case Approved:
		return t == Signed || t == Cancelled || t == Expired || t == Cancelling // the last one only if it was exported
	case Signed:
		return t == Broadcast || t == Confirmed || t == Cancelling || t == Failed
	case Broadcast:
		return t == Confirmed || t == Cancelling || t == Failed
	case Cancelling:
		return t == Cancelled || t == Confirmed || t == Failed
	case Confirmed:
		return t == Settled || t == Broadcast
	case Settled, Failed:
		return t == Broadcast
	case Cancelled:
		return t == Cancelling // only one that was signed; the schema sees to that
	}

	return false
}

// Open reports whether a payout in this state still has to be driven on.
func (s State) Open() bool {
	switch s {
	case Draft, Pending, Approved, Signed, Broadcast, Confirmed, Cancelling:
		return true
	}

	return false
}

// MayBeSigned reports whether a signature of a payout in this state may exist
// outside this process. Such a payout is never rebuilt with other coins, and its
// money is released only when other transactions have taken those it has.
func (s State) MayBeSigned() bool {
	switch s {
	case Signed, Broadcast, Confirmed, Settled, Cancelling:
		return true
	}

	return false
}
