package ledger

// State is where a found block stands.
//
//	            ┌────────► stale ◄────────┐
//	            │            │            │ confirmations -1, never booked
//	found ──────┼────────► accepted ───► mature
//	  │         │            │ ▲          │ ▲
//	  ▼         │            ▼ │          ▼ │
//	rejected    │          orphaned ◄─────┘ │   confirmations -1, reward reversed
//	            └── unknown ◄──► any ───────┘   header not known: no evidence, no money moves
type State string

// States of a block. Only accepted and mature ones have money in the books, and
// an unknown one has what the state before it had.
const (
	StateFound    State = "found"    // on disk; or in the main chain, but its split is not frozen yet
	StateUnknown  State = "unknown"  // the node does not know it: it is to be submitted again
	StateAccepted State = "accepted" // in the main chain, its reward is pending
	StateMature   State = "mature"   // deep enough, its reward is payable
	StateOrphaned State = "orphaned" // was accepted, is off the main chain
	StateStale    State = "stale"    // valid, but another block was first
	StateRejected State = "rejected" // refused by the node
)

// booking says where the reward of a block stands in the books.
type booking string

const (
	bookedNone    booking = "none"
	bookedPending booking = "pending"
	bookedPayable booking = "payable"
)

// Observation is what the node says about a block (getblockheader).
type Observation struct {
	Known         bool  // false: error -5, the node has no such header
	Confirmations int32 // 1 = the tip; -1 = known, but off the main chain
	Maturity      int32 // confirmations at which the reward becomes payable, 101 at least on any real chain
}

// Transition is what an observation did. From and To are equal when it changed nothing.
type Transition struct{ From, To State }

// standing is all of a block that the next state depends on.
type standing struct {
	state  State
	booked booking
	flips  int64 // times its reward was reversed
	frozen bool  // the split is known
}

// next returns the state that follows from an observation. Not being known is
// no evidence of anything: only the header's -1 takes money back, and only a
// place in the main chain gives it.
func (s standing) next(o Observation) State {
	inChain := o.Known && o.Confirmations >= 1

	switch {
	case s.state == StateRejected && !inChain:
		return StateRejected
	case !o.Known:
		return StateUnknown
	case o.Confirmations == -1 && s.neverBooked():
		return StateStale
	case o.Confirmations == -1:
		return StateOrphaned
	case !inChain: // no such number is documented
		return s.state
	case !s.frozen:
		return StateFound
	case s.booked == bookedPayable: // a shallower place in the chain does not take it back
		return StateMature
	case s.booked == bookedPending && o.Confirmations >= o.Maturity:
		return StateMature
	default:
		return StateAccepted
	}
}

// neverBooked says that the block was never accepted.
func (s standing) neverBooked() bool { return s.booked == bookedNone && s.flips == 0 }

// bookings returns where the reward has to stand in state to.
func (s standing) bookings(to State) booking {
	switch to {
	case StateAccepted:
		return bookedPending
	case StateMature:
		return bookedPayable
	case StateUnknown:
		return s.booked
	default:
		return bookedNone
	}
}
