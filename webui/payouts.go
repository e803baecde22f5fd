package webui

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// payoutLine is one payout: one batch, paid by one transaction.
type payoutLine struct {
	ID, Rev       int64
	State         string // as in pool/payout
	Purpose       string // as in pool/payout
	Total         int64
	Miners        int
	Fee           *int64
	TxID          string
	CreatedAt     time.Time
	CreatedBy     string
	ExpiresAt     time.Time
	UpdatedAt     time.Time
	Confirmations int32
	Settles       int32 // confirmations at which it is settled
	Waits         bool  // for an operator's yes: to the payout, or to a higher fee
	Problem       string
}

// Sweep reports whether it pays no miner, but moves the pool's own money to the
// cold address.
func (p payoutLine) Sweep() bool { return p.Purpose == "sweep" }

// payoutView fills templates/payout.html.
type payoutView struct {
	payoutLine
	Digest     string // hex of the plan's digest
	FeeCap     int64
	Change     int64
	ChangeTo   string
	Items      []itemLine
	Inputs     []inputLine
	Approvals  []approvalLine
	WalletSats *int64 // what the wallet can spend now

	VSize         int64 // vbytes, an estimate before it is signed; 0 before it is planned
	Estimated     bool  // VSize is
	MinersBearFee bool
	TwoPeople     bool // have to say yes
	Can           payoutCan
	Attempts      []attemptLine // its transactions and those that pay for them, oldest first

	Typed string // what was typed, when the form comes back
	Wrong string // why it came back: "total", "password", or the action whose password was wrong
}

// itemLine is what one miner gets.
type itemLine struct {
	Address  string
	Amount   int64 // taken from the account
	FeeShare int64 // part of it that goes to the network
	Earned   *earnedLine
}

// Arrives is what the miner's wallet gets.
func (i itemLine) Arrives() int64 { return i.Amount - i.FeeShare }

// inputLine is a coin that is spent.
type inputLine struct {
	TxID   string
	Vout   uint32
	Amount int64
}

// approvalLine is a yes that was given.
type approvalLine struct {
	User, Method, IP string
	At               time.Time
	Present          bool // it is of the plan that there is now
}

// Arrive is what the miners' wallets get together.
func (v payoutView) Arrive() int64 {
	sum := v.Total
	for _, i := range v.Items {
		sum -= i.FeeShare
	}
	return sum
}

// InputSum is what the coins add up to.
func (v payoutView) InputSum() int64 {
	var sum int64
	for _, in := range v.Inputs {
		sum += in.Amount
	}
	return sum
}

// After is what the wallet can spend once this payout is sent, nil when unknown.
func (v payoutView) After() *int64 {
	if v.WalletSats == nil || v.Fee == nil {
		return nil
	}
	return new(*v.WalletSats - v.Arrive() - *v.Fee)
}

// SaidYes reports whether this operator approved the present plan already.
func (v payoutView) SaidYes(operator string) bool {
	return slices.ContainsFunc(v.Approvals, func(a approvalLine) bool { return a.Present && a.User == operator })
}

// HalfApproved reports whether somebody approved the present plan already.
func (v payoutView) HalfApproved() bool {
	return slices.ContainsFunc(v.Approvals, func(a approvalLine) bool { return a.Present })
}

// Steps is the way of a payout, with how far this one has come.
func (v payoutView) Steps() []step {
	names := []string{"draft", "pending", "approved", "signed", "broadcast", "confirmed", "settled"}
	at := slices.Index(names, v.State)
	if v.State == "cancelling" {
		return []step{{Name: "draft", Done: true}, {Name: "signed", Done: true}, {Name: v.State, Now: true}}
	}
	if at < 0 { // cancelled, expired, failed
		return []step{{Name: "draft", Done: true}, {Name: v.State, Done: true, Bad: true}}
	}
	var steps []step
	for i, name := range names {
		steps = append(steps, step{Name: name, Done: i < at || name == "settled" && i == at, Now: i == at && name != "settled"})
	}
	return steps
}

// owedLine is what the pool owes to one account.
type owedLine struct {
	Address  string
	Payable  int64
	Pending  int64
	Reserved int64
	Paid     int64
	Due      bool   // the next payout will include it
	Reason   string // why it will not, a sentence

	MinPayout int64 // its own minimum, 0: the pool's
	Hold      bool  // not to be paid until the operator says so
}

// open reports whether anything is owed or on its way.
func (o owedLine) open() bool { return o.Payable != 0 || o.Pending != 0 || o.Reserved != 0 }

// dueOf is what a payout prepared now would pay.
func dueOf(owed []owedLine) (due int64) {
	for _, o := range owed {
		if o.Due {
			due += o.Payable
		}
	}
	return due
}

// payoutsView fills templates/payouts.html.
type payoutsView struct {
	Tab   string
	Count map[string]int
	Query string     // part of an address that is looked for
	Owed  []owedLine // those that match, the most first
	Lines []payoutLine
	More  int // that are in neither
	Money moneyView
	Due   int64
	Key   string // makes drafting idempotent
	Wrong bool   // the passphrase that was typed does not open the wallet
}

// tabOf is the tab that a payout is listed under.
func tabOf(p payoutLine) string {
	switch p.State {
	case "expired", "failed":
		return "problems"
	case "settled", "cancelled":
		return "sent"
	}
	switch {
	case p.Waits: // also with a problem: a yes to a higher fee may be what solves it
		return "approve"
	case p.Problem != "":
		return "problems"
	case p.State == "draft":
		return "approve"
	}
	return "sending"
}

// Tabs are the parts of the page, in the order of a payout's life.
func (payoutsView) Tabs() []string { return []string{"owed", "approve", "sending", "sent", "problems"} }

func (s *site) payouts(r *http.Request, _ caller) (any, error) {
	return s.listPayouts(r)
}

func (s *site) listPayouts(r *http.Request) (payoutsView, error) {
	ctx := r.Context()
	all, err := s.box.Payouts(ctx)
	if err != nil {
		return payoutsView{}, err
	}
	owed, err := s.box.Owed(ctx)
	if err != nil {
		return payoutsView{}, err
	}
	owed = slices.DeleteFunc(slices.Clone(owed), func(o owedLine) bool { return !o.open() })
	money, err := s.box.Money(ctx)
	if err != nil {
		return payoutsView{}, err
	}
	v := payoutsView{
		Tab: r.URL.Query().Get("tab"), Count: map[string]int{"owed": len(owed)},
		Query: cut(strings.TrimSpace(r.URL.Query().Get("q")), 100), Due: dueOf(owed), Money: money, Key: rand.Text(),
	}
	for _, p := range all {
		v.Count[tabOf(p)]++
	}
	if !slices.Contains(v.Tabs(), v.Tab) {
		v.Tab = "owed"
		if v.Count["approve"] > 0 {
			v.Tab = "approve"
		}
	}
	for _, p := range all {
		if tabOf(p) == v.Tab {
			v.Lines = append(v.Lines, p)
		}
	}
	if v.Tab == "owed" {
		v.Owed, v.More = atMost(searchOwed(owed, v.Query))
	} else {
		v.Lines, v.More = atMost(v.Lines)
	}
	return v, nil
}

// atMost returns the first lines, as many as a page shows, and how many more
// there are.
func atMost[T any](lines []T) (shown []T, more int) {
	shown = lines[:min(len(lines), maxLines)]
	return shown, len(lines) - len(shown)
}

// searchOwed finds a part of an address, in any case of letters. Those that are
// owed most come first.
func searchOwed(owed []owedLine, query string) []owedLine {
	query = strings.ToLower(strings.TrimSpace(query))
	found := slices.DeleteFunc(slices.Clone(owed), func(o owedLine) bool { return !strings.Contains(strings.ToLower(o.Address), query) })
	sum := func(o owedLine) int64 { return o.Payable + o.Pending + o.Reserved }
	slices.SortStableFunc(found, func(a, b owedLine) int {
		return cmp.Or(cmp.Compare(sum(b), sum(a)), cmp.Compare(a.Address, b.Address))
	})
	return found
}

func (s *site) payout(r *http.Request, _ caller) (any, error) {
	return s.findPayout(r.Context(), r)
}

func (s *site) findPayout(ctx context.Context, r *http.Request) (payoutView, error) {
	id, err := idOf(r)
	if err != nil {
		return payoutView{}, err
	}
	return s.box.Payout(ctx, id)
}

// draftPayout gathers what is due into a payout that then waits for approval.
func (s *site) draftPayout(w http.ResponseWriter, r *http.Request, who caller) error {
	key := cut(r.PostFormValue("key"), 64)
	if key == "" {
		return invalid("The form has no key. Open the payouts page and try again.")
	}
	id, err := s.box.DraftPayout(r.Context(), who.Operator, key, who.IP.String())
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts/"+strconv.FormatInt(id, 10), http.StatusSeeOther)
	return nil
}

// approval is a yes to exactly one plan.
type approval struct {
	ID, Rev  int64
	Digest   []byte
	Method   string // of proof: "password" or "code"
	Operator operator
	IP       string
}

// approvePayout checks the typed total and the password, and says yes to the
// revision and digest that the form was made from: a plan that changed since
// is not approved but answered with 409.
func (s *site) approvePayout(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findPayout(r.Context(), r)
	if err != nil {
		return err
	}
	rev, revErr := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	digest, digestErr := hex.DecodeString(r.PostFormValue("digest"))
	if revErr != nil || digestErr != nil {
		return invalid("The form does not name a plan. Open the payout again.")
	}
	if rev != v.Rev || hex.EncodeToString(digest) != v.Digest || !v.Can.Approve {
		return stale(nil)
	}
	v.Typed = cut(r.PostFormValue("total"), 40)
	if total, ok := typedSats(v.Typed); !ok || total != v.Total {
		v.Wrong = "total"
		return s.again(w, r, who, "payout", v)
	}
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		v.Wrong = "password"
		return s.again(w, r, who, "payout", v)
	}
	err = s.box.ApprovePayout(r.Context(), approval{ID: v.ID, Rev: rev, Digest: digest, Method: methodOf(r.PostFormValue("password")), Operator: who.Operator, IP: who.IP.String()})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts/"+strconv.FormatInt(v.ID, 10), http.StatusSeeOther)
	return nil
}

func (s *site) cancelPayout(w http.ResponseWriter, r *http.Request, who caller) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil {
		return invalid("The form does not name a plan. Open the payout again.")
	}
	if err := s.box.CancelPayout(r.Context(), id, rev, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts/"+strconv.FormatInt(id, 10), http.StatusSeeOther)
	return nil
}

// unlockWallet takes the passphrase that signing needs, when the box does not
// keep it itself.
func (s *site) unlockWallet(w http.ResponseWriter, r *http.Request, who caller) error {
	err := s.box.UnlockWallet(r.Context(), r.PostFormValue("passphrase"), who.Operator, who.IP.String())
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		v, err := s.listPayouts(r)
		if err != nil {
			return err
		}
		v.Wrong = true
		return s.again(w, r, who, "payouts", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts", http.StatusSeeOther)
	return nil
}

// typedSats reads satoshis as people type or paste them: digits, in groups by
// commas, dots, apostrophes or blanks if they like.
func typedSats(text string) (int64, bool) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(",.'’_ \u00a0\u2009\u202f", r) {
			return -1
		}
		return r
	}, strings.TrimSuffix(strings.TrimSpace(text), "sats"))
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil
}
