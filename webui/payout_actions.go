package webui

import (
	"net/http"
	"strconv"
	"time"
)

// payoutCan says what can be done with a payout now; see pool/payout.
type payoutCan struct {
	Approve, Cancel, Bump, CancelSent, Sponsor, GiveUpDead, Export, Import bool
}

// The things that a person can do about a payout that was approved, as the URL
// and the audit log name them.
const (
	actionExport   = "export"    // hand it out to be signed elsewhere
	actionBump     = "bump"      // raise its fee
	actionSponsor  = "sponsor"   // have its change pay for it
	actionTakeBack = "take-back" // send its coins back to the wallet
	actionGiveUp   = "give-up"   // it is dead
)

// action is one of these that is possible now.
type action struct {
	Name  string
	State string // of the payout
	Rate  bool   // it takes a fee rate
	Typed string // the fee rate that was typed, when the form comes back
	Wrong bool   // the password was
}

// Actions are what can be done about an approved payout now.
func (v payoutView) Actions() []action {
	var list []action
	for _, a := range []struct {
		name     string
		possible bool
	}{
		{actionExport, v.Can.Export && !v.Can.Import},
		{actionBump, v.Can.Bump},
		{actionSponsor, v.Can.Sponsor},
		{actionTakeBack, v.Can.CancelSent},
		{actionGiveUp, v.Can.GiveUpDead},
	} {
		if a.possible {
			list = append(list, action{Name: a.name, State: v.State, Rate: a.name != actionGiveUp && a.name != actionExport, Typed: v.Typed, Wrong: v.Wrong == a.name})
		}
	}
	return list
}

// attemptLine is one transaction of a payout.
type attemptLine struct {
	Kind, Fate string // as in pool/payout
	TxID       string
	Fee, VSize int64
	FirstSeen  time.Time
	Refusal    string // why the node does not take it
}

// Rate is its fee rate in sat/vB, empty when its size is not known.
func (a attemptLine) Rate() string { return feeRate(a.Fee, a.VSize) }

// Asked is the transaction with a higher fee that waits for a yes.
func (v payoutView) Asked() *attemptLine {
	if !v.Can.Approve || v.State == "pending" || len(v.Attempts) == 0 {
		return nil
	}
	for i, a := range v.Attempts {
		if a.Fate == "funded" && a.Kind == "bump" {
			return &v.Attempts[i]
		}
	}
	return nil
}

// Rate is the payout's fee rate in sat/vB, empty before it is planned.
func (v payoutView) Rate() string {
	if v.Fee == nil {
		return ""
	}
	return feeRate(*v.Fee, v.VSize)
}

// feeRate is a rate in sat/vB with two decimals, rounded down.
func feeRate(fee, vsize int64) string {
	if vsize == 0 {
		return ""
	}
	return writeFixed(fee*100/vsize, 2)
}

// TakenBack reports whether the coins of a payout were sent back to the wallet
// after it was signed.
func (v payoutView) TakenBack() bool {
	for _, a := range v.Attempts {
		if a.Kind == "cancel" && (a.Fate == "confirmed" || a.Fate == "settled") {
			return true
		}
	}
	return false
}

// payoutChange asks for one of the actions.
type payoutChange struct {
	Action   string
	ID, Rev  int64
	FeeRate  string // sat/vB; empty: what the node estimates
	Operator operator
	IP       string
}

// changePayout does one of the actions, when the payout is still as it was on
// the screen and the form carries the password.
func (s *site) changePayout(name string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		v, err := s.findPayout(r.Context(), r)
		if err != nil {
			return err
		}
		rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
		if err != nil {
			return invalid("The form does not name a plan. Open the payout again.")
		}
		possible := false
		for _, a := range v.Actions() {
			possible = possible || a.Name == name
		}
		if rev != v.Rev || !possible {
			return stale(nil)
		}
		v.Typed = cut(r.PostFormValue("rate"), 40)
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		if !right {
			v.Wrong = name
			return s.again(w, r, who, "payout", v)
		}
		err = s.box.ChangePayout(r.Context(), payoutChange{
			Action: name, ID: v.ID, Rev: rev, FeeRate: v.Typed, Operator: who.Operator, IP: who.IP.String(),
		})
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/payouts/"+strconv.FormatInt(v.ID, 10), http.StatusSeeOther)
		return nil
	}
}
