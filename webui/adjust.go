package webui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// adjustView is what can be put right by hand on an account. Amounts are satoshis.
type adjustView struct {
	Debt    int64         // what the miner owes the pool
	Wait    string        // why it cannot be written off yet, a sentence
	Outside []outsideLine // what the books of a restored backup do not know
	Said    []correctLine // what people said before
	Problem string        // why that cannot be told now, a sentence

	Chosen string // what is ticked in the form: choseDebt, or the id of a transaction
	Typed  string // reason
	Wrong  string // why the form came back: "choice", "reason", "password"
	Done   bool
	Waits  bool // another operator has to agree
}

// outsideLine is what a transaction has paid a miner without the books.
type outsideLine struct {
	TxID   string
	Amount int64 // paid
	Now    int64 // can be taken off what is owed now
}

// choseDebt stands for the debt where a transaction could stand.
const choseDebt = "debt"

// CanForgive reports whether the debt can be written off.
func (v adjustView) CanForgive() bool { return v.Debt > 0 && v.Wait == "" }

// Choices are what the form offers.
func (v adjustView) Choices() (all []string) {
	if v.CanForgive() {
		all = append(all, choseDebt)
	}
	for _, o := range v.Outside {
		if o.Now > 0 {
			all = append(all, o.TxID)
		}
	}
	return all
}

// Picked reports whether a choice is ticked: the only one is from the start.
func (v adjustView) Picked(choice string) bool { return v.Chosen == choice || len(v.Choices()) == 1 }

// amount is what a choice moves, false when it is none.
func (v adjustView) amount(choice string) (int64, bool) {
	if choice == choseDebt {
		return v.Debt, v.CanForgive()
	}
	for _, o := range v.Outside {
		if o.TxID == choice {
			return o.Now, o.Now > 0
		}
	}
	return 0, false
}

// Seen names what the form was made from.
func (v adjustView) Seen() string {
	seen := fmt.Sprint(v.Debt)
	for _, o := range v.Outside {
		seen += fmt.Sprintf(" %s %d", o.TxID, o.Now)
	}
	return seen
}

// adjustment asks to correct what an account is owed.
type adjustment struct {
	Address  string
	TxID     string // empty: write off the debt
	Amount   int64  // as on the screen
	Reason   string
	Operator operator
	IP       string
}

// adjustAccount writes off a debt, or takes off an account what a transaction has
// paid, when that is still as it was on the screen and the form carries a reason
// and the password.
func (s *site) adjustAccount(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findAccount(r.Context(), r)
	if err != nil {
		return err
	}
	if r.PostFormValue("seen") != v.Adjust.Seen() {
		return stale(nil)
	}
	a := &v.Adjust
	a.Chosen, a.Typed = cut(r.PostFormValue("what"), 64), strings.TrimSpace(cut(r.PostFormValue("reason"), 500))
	amount, ok := a.amount(a.Chosen)
	switch {
	case !ok:
		a.Wrong = "choice"
	case a.Typed == "":
		a.Wrong = "reason"
	default:
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		if !right {
			a.Wrong = "password"
		}
	}
	if a.Wrong != "" {
		return s.again(w, r, who, "account", v)
	}
	ask := adjustment{Address: v.Address, Amount: amount, Reason: a.Typed, Operator: who.Operator, IP: who.IP.String()}
	if a.Chosen != choseDebt {
		ask.TxID = a.Chosen
	}
	decided, err := s.box.AdjustAccount(r.Context(), ask)
	if err != nil {
		return err
	}
	next := "?adjusted"
	if !decided {
		next = "?waits"
	}
	http.Redirect(w, r, "/accounts/"+url.PathEscape(v.Address)+next, http.StatusSeeOther)
	return nil
}
