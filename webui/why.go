package webui

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// whyFacts is what books and share log say of one address on its way to a payment.
type whyFacts struct {
	Now        time.Time
	Shares     int64     // that were ever accepted
	FirstShare time.Time // zero: none was
	LastShare  time.Time
	Blocks     []whyBlock // since the first share, the newest first
	Credited   bool       // a block was shared with it, ever
	Balance    balanceView
	Least      int64         // smallest amount that is paid, in satoshis
	Hold       bool          // an operator has put the account on hold
	Frozen     bool          // nobody is paid now
	Left       string        // why else the next payout would leave it out, a sentence
	Every      time.Duration // between payouts that are prepared; 0: by hand only
	Payment    *whyPayment   // the newest; nil: there was none
	Luck       luck          // of the whole pool
	Solo       bool          // a block belongs to whoever finds it
}

// whyBlock is a block of the pool as this address sees it.
type whyBlock struct {
	blockLine
	Split bool  // it is decided who gets what
	Solo  bool  // it belongs to its finder
	Part  int64 // of this address, in satoshis
	Paid  int64 // of Part, by the coinbase itself
}

// whyPayment is the newest payment to this address.
type whyPayment struct {
	paidLine
	Settles int32 // confirmations with which it is over
}

// whyStep is one step on the way. Key chooses its sentence, why.step.KEY.
type whyStep struct {
	Key  string
	Mark string // "ok", "wait" or "bad"

	Count, Of  int64
	Sats, Rest int64 // satoshis
	At         time.Time
	Height     int32
	Hash       string // of a block of which this address has a statement
	Payout     int64  // that it is about
	TxID       string
	Text       string // a sentence from the floors below
}

// Odds reports whether what comes next is told with how long a block takes.
func (s whyStep) Odds() bool {
	return slices.Contains([]string{"no_block", "outside", "outside_solo", "stale", "next"}, s.Key)
}

// whyView fills templates/why.html.
type whyView struct {
	Address string // empty behind a private link
	Back    string // path of the observer page
	Steps   []whyStep
	Luck    luck
	Every   time.Duration
}

// Answer is where the way ends for now: the first step that is not done, else the last.
func (v whyView) Answer() whyStep {
	for _, s := range v.Steps {
		if s.Mark != "ok" {
			return s
		}
	}
	return v.Steps[len(v.Steps)-1]
}

// steps walks from the first share to the payment: share, block, window, maturity,
// balance, payout. It knows nothing but the facts.
func (f whyFacts) steps() []whyStep {
	if f.Shares == 0 && !f.Credited {
		return []whyStep{{Key: "no_share", Mark: "bad"}}
	}
	list := []whyStep{{Key: "shares", Mark: "ok", Count: f.Shares, At: f.LastShare}}
	if f.Shares == 0 {
		list = nil // it was credited by another name of the same account
	}
	if len(f.Blocks) == 0 && !f.Credited {
		return append(list, whyStep{Key: "no_block", Mark: "wait", At: f.FirstShare})
	}
	list = append(list, f.blockSteps()...)
	list = append(list, f.moneySteps()...)
	list = append(list, f.newestStep()...)
	if !slices.ContainsFunc(list, func(s whyStep) bool { return s.Mark != "ok" }) {
		list = append(list, whyStep{Key: "next", Mark: "ok"})
	}
	return list
}

// living returns the newest block that this address has a part of, one that can still
// be paid if there is any; nil when it has none.
func (f whyFacts) living() *whyBlock {
	var lost *whyBlock
	for i := range f.Blocks {
		b := &f.Blocks[i]
		if b.Part == 0 {
			continue
		}
		if b.pays() {
			return b
		}
		if lost == nil {
			lost = b
		}
	}
	return lost
}

// pays reports whether a block is, or can still get, in the chain.
func (b whyBlock) pays() bool {
	return creditedLine{State: b.State}.Pays()
}

// blockSteps tell of the block that counts: window and maturity.
func (f whyFacts) blockSteps() []whyStep {
	b := f.living()
	if b == nil {
		return nil
	}
	of := func(key, mark string) whyStep {
		return whyStep{Key: key, Mark: mark, Height: b.Height, At: b.FoundAt, Sats: b.Part, Rest: b.Part - b.Paid, Count: int64(max(b.Confirmations, 0)), Of: int64(b.Maturity)}
	}
	list := []whyStep{of("block", "ok")}
	list[0].Hash = b.Hash
	if b.Solo {
		list[0].Key = "block_solo"
	}
	switch b.State {
	case "found", "unknown":
		return append(list, of("submitting", "wait"))
	case "orphaned", "stale", "rejected":
		return append(list, of(b.State, "bad"))
	}
	if b.Paid > 0 {
		paid := of("coinbase", "ok")
		paid.Sats = b.Paid
		list = append(list, paid)
	}
	if b.State == "accepted" {
		return append(list, of("immature", "wait"))
	}
	return append(list, of("mature", "ok"))
}

// moneySteps tell of what is owed, and of the newest payment.
func (f whyFacts) moneySteps() (list []whyStep) {
	owed := f.Balance.Unpaid
	step := whyStep{Mark: "wait", Sats: owed, Rest: f.Least - owed}
	switch {
	case owed < 0:
		step.Key, step.Mark, step.Sats = "debt", "bad", -owed
	case owed == 0:
	case f.Hold:
		step.Key = "hold"
	case owed < f.Least:
		step.Key, step.Count = "below", f.Least
	case f.Frozen:
		step.Key = "frozen"
	case f.Left != "" && !f.underway():
		step.Key, step.Text = "left", f.Left
	case f.Every == 0:
		step.Key = "by_hand"
	default:
		step.Key = "due"
	}
	payment := f.paymentStep()
	if payment.Key != "" && payment.Mark == "ok" {
		list = append(list, payment) // that is over; what is owed since comes after it
	}
	if step.Key != "" {
		list = append(list, step)
	}
	if payment.Key != "" && payment.Mark != "ok" {
		list = append([]whyStep{payment}, list...)
	}
	return list
}

// underway reports whether a payment is on its way.
func (f whyFacts) underway() bool { return f.Payment != nil && f.Payment.State != "settled" }

func (f whyFacts) paymentStep() whyStep {
	p := f.Payment
	if p == nil {
		return whyStep{}
	}
	step := whyStep{Key: "payout_" + p.State, Mark: "wait", Sats: p.Amount, Payout: p.ID, TxID: p.TxID, At: p.CreatedAt, Count: int64(p.Confirmations), Of: int64(p.Settles)}
	if p.State == "settled" {
		step.Mark = "ok"
	}
	return step
}

// newestStep tells of the pool's newest block, if that is newer than any this address
// has a part of.
func (f whyFacts) newestStep() []whyStep {
	if len(f.Blocks) == 0 {
		return nil
	}
	b := f.Blocks[0]
	if b.Part > 0 || !b.pays() {
		return nil
	}
	step := whyStep{Key: "outside", Mark: "bad", Height: b.Height, At: b.FoundAt}
	switch {
	case !b.Split:
		step.Key, step.Mark = "undecided", "wait"
	case b.Solo:
		step.Key = "outside_solo"
	}
	return []whyStep{step}
}

// why answers for an address that is in the URL, privateWhy for one that is not told.
func (s *site) why(r *http.Request, _ caller) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	return s.whyOf(r, address, "/observer/"+url.PathEscape(address), false)
}

func (s *site) privateWhy(r *http.Request, _ caller) (any, error) {
	address, err := s.privateAddress(r)
	if err != nil {
		return nil, err
	}
	return s.whyOf(r, address, privatePath+url.PathEscape(r.PathValue("token")), true)
}

func (s *site) whyOf(r *http.Request, address, back string, private bool) (whyView, error) {
	facts, err := s.box.Why(r.Context(), address)
	if err != nil {
		return whyView{}, err
	}
	v := whyView{Address: address, Back: back, Steps: facts.steps(), Luck: facts.Luck, Every: facts.Every}
	if private {
		v.Address = ""
		for i := range v.Steps {
			v.Steps[i].TxID = ""
		}
	}
	return v, nil
}
