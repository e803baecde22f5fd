package ledger

import (
	"errors"
	"fmt"
)

// Values of [Terms].
const (
	SettlementLedger = "ledger" // the coinbase pays the pool's wallet, the ledger credits the miners
	SettlementDirect = "direct" // the coinbase pays the miners by PPLNS, the ledger credits what does not fit into it
	SettlementSolo   = "solo"   // the coinbase pays the miner whose work it is
	UnderfillScale   = "scale"  // an under-filled window gets the whole reward
	UnderfillHold    = "hold"   // it gets its part of the full window's, the rest goes to the reserve
)

// Ceilings of what a pool can keep. A slip of the decimal point must not cost
// the miners a block.
const (
	MaxFeeBps      = 1000 // 10 %
	MaxDonationBps = 1000 // 10 %
)

// Limits of the window.
const (
	MinWindowMilli = 100     // X = 0.1
	MaxWindowMilli = 100_000 // X = 100
)

// Terms say how the reward of a block is shared. They are stored with each
// block, so that a change of the settings does not touch the past.
type Terms struct {
	Settlement  string // one of the settlements above
	FeeBps      int64  // pool fee in 1/10000 of the block's value
	DonationBps int64  // donation in 1/10000 of the block's value, not of what the fee leaves
	WindowMilli int64  // PPLNS window X in 1/1000: 2000 pays work worth two blocks
	Underfill   string // UnderfillScale or UnderfillHold
}

// PaysMiners says whether the coinbase pays miners itself, so that who is due
// what is fixed with the job and not with the block.
func (t Terms) PaysMiners() bool {
	return t.Settlement == SettlementDirect || t.Settlement == SettlementSolo
}

// Validate returns nil or, joined, one sentence for each term that cannot be.
func (t Terms) Validate() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	switch t.Settlement {
	case SettlementLedger, SettlementDirect, SettlementSolo:
	default:
		wrong("the settlement %q is not known; it must be %q, %q or %q", t.Settlement, SettlementLedger, SettlementDirect, SettlementSolo)
	}
	if t.FeeBps < 0 || t.FeeBps > MaxFeeBps {
		wrong("the pool fee is %d basis points; it must be between 0 and %d (10 %%)", t.FeeBps, MaxFeeBps)
	}
	if t.DonationBps < 0 || t.DonationBps > MaxDonationBps {
		wrong("the donation is %d basis points; it must be between 0 and %d (10 %%)", t.DonationBps, MaxDonationBps)
	}
	if t.WindowMilli < MinWindowMilli || t.WindowMilli > MaxWindowMilli {
		wrong("the window is %d thousandths; it must be between %d and %d", t.WindowMilli, MinWindowMilli, MaxWindowMilli)
	}
	if t.Underfill != UnderfillScale && t.Underfill != UnderfillHold {
		wrong("the rule for an under-filled window is %q; it must be %q or %q", t.Underfill, UnderfillScale, UnderfillHold)
	}

	return errors.Join(problems...)
}
