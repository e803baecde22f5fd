package webui

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// booksView fills templates/books.html: whether books and wallet agree, and what
// to do when they do not.
type booksView struct {
	Frozen    string        // why no payout moves, a sentence; empty while they do
	Open      []freezeLine  // freezes that are in force; none while the ledger itself contradicts itself
	Past      []freezeLine  // those that were lifted
	Compared  *compareLine  // nil before the first comparison
	Uncovered bool          // they do not only because of a shortfall, in books that are in order
	Shortfall int64         // what is owed and not there
	Own       int64         // what is the pool's own and mature
	Sweep     int64         // what of it is on its way to the cold address, not counted in Own
	Said      []correctLine // what people said when they set the books right

	Typed string // reason that was typed, when the form comes back
	Wrong string // why it came back: "reason", "password"
	Waits bool   // another operator has to agree
}

// freezeLine is one reason why payouts stopped.
type freezeLine struct {
	At       time.Time
	Reason   string
	TxID     string
	LiftedAt time.Time
	LiftedBy string
}

// compareLine is what books and wallet said at one block, in satoshis.
type compareLine struct {
	At                       time.Time
	Height                   int32
	Booked, OnTheWay, Wallet int64
	Missing, Surplus         int64
}

// correctLine is what somebody said.
type correctLine struct {
	At     time.Time
	User   string
	Amount int64
	Reason string

	Address string // whose account it was about; empty when it was about the wallet
}

// Off is what was taken off, as a positive number.
func (l correctLine) Off() int64 { return -l.Amount }

// CanLift reports whether there is a freeze that a person can end.
func (v booksView) CanLift() bool { return len(v.Open) > 0 }

// CanBook reports whether the wallet has something that can be booked.
func (v booksView) CanBook() bool {
	return (v.Frozen == "" || v.Uncovered) && !v.CanLift() && v.Compared != nil && v.Compared.Surplus > 0
}

// Seen names what the form is about: a freeze, or an amount, that came since is
// not decided by it.
func (v booksView) Seen() string {
	var amount int64
	if v.Compared != nil {
		amount = v.Compared.Surplus - v.Compared.Missing
	}
	var newest int64
	if len(v.Open) > 0 {
		newest = v.Open[0].At.UnixMilli()
	}
	return fmt.Sprintf("%d %d %d", len(v.Open), newest, amount)
}

// amount is what a correction books, negative when it was lost.
func (v booksView) amount(lift bool) int64 {
	switch {
	case v.Compared == nil:
		return 0
	case lift:
		return -v.Compared.Missing
	}
	return v.Compared.Surplus
}

// correction asks to set the books right.
type correction struct {
	Lift     bool // a freeze; otherwise to book a surplus
	Freezes  int  // in force, as on the screen
	Amount   int64
	Reason   string
	Operator operator
	IP       string
}

func (s *site) books(r *http.Request, _ caller) (any, error) {
	v, err := s.box.Books(r.Context())
	v.Waits = r.URL.Query().Has("waits")
	return v, err
}

// correctBooks lifts a freeze or books a surplus, when books and wallet are still
// as they were on the screen and the form carries a reason and the password.
func (s *site) correctBooks(lift bool) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		v, err := s.box.Books(r.Context())
		if err != nil {
			return err
		}
		possible := v.CanBook()
		if lift {
			possible = v.CanLift()
		}
		if !possible || r.PostFormValue("seen") != v.Seen() {
			return stale(nil)
		}
		v.Typed = strings.TrimSpace(cut(r.PostFormValue("reason"), 500))
		if v.Typed == "" {
			v.Wrong = "reason"
			return s.again(w, r, who, "books", v)
		}
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		if !right {
			v.Wrong = "password"
			return s.again(w, r, who, "books", v)
		}
		decided, err := s.box.CorrectBooks(r.Context(), correction{
			Lift: lift, Freezes: len(v.Open), Amount: v.amount(lift), Reason: v.Typed, Operator: who.Operator, IP: who.IP.String(),
		})
		if err != nil {
			return err
		}
		next := "/books"
		if !decided {
			next = "/books?waits"
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
}
