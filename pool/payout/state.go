package payout

// State is where a payout stands. The zero State is that of a payout which does
// not exist yet.
//
//	draft ─► pending ─► approved ─► signed ─► broadcast ─► confirmed ─► settled
//	  │         │          │                     ▲ ▲            │          │
//	  └─────────┴──────────┴─► cancelled         │ └───reorg────┘          │
//	            └──────────┴─► expired           └──────────reorg──────────┘
//
// The border is between approved and signed: to its left no signature is stored
// anywhere, so a payout can be given up and its money released. To its right the
// same transaction is sent until it confirms, however long that takes.
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
		return t == Signed || t == Cancelled || t == Expired
	case Signed:
		return t == Broadcast
	case Broadcast:
		return t == Confirmed
	case Confirmed:
		return t == Settled || t == Broadcast
	case Settled:
		return t == Broadcast
	}

	return false
}

// Open reports whether a payout in this state still has to be driven on.
func (s State) Open() bool {
	switch s {
	case Draft, Pending, Approved, Signed, Broadcast, Confirmed:
		return true
	}

	return false
}

// MayBeSigned reports whether a signature of a payout in this state may exist
// outside this process. Such a payout is never cancelled, rebuilt or released.
func (s State) MayBeSigned() bool {
	switch s {
	case Signed, Broadcast, Confirmed, Settled:
		return true
	}

	return false
}
