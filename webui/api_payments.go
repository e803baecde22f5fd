package webui

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// paymentStatsJSON is the state of the purse. Null is not known.
type paymentStatsJSON struct {
	Accounts int            `json:"accounts"`
	Balance  balanceSums    `json:"balance_sats"`
	Due      int64          `json:"due_sats"` // what a payout prepared now would pay
	Wallet   walletSumsJSON `json:"wallet"`
	Payouts  map[string]int `json:"payouts"` // how many, by state
	Frozen   *string        `json:"frozen"`  // why no payout moves
	AsOf     time.Time      `json:"as_of"`
}

func (p paymentStatsJSON) undated() any {
	p.AsOf = time.Time{}
	return p
}

type balanceSums struct {
	Payable  *int64 `json:"payable"`
	Pending  *int64 `json:"pending"`
	Reserved *int64 `json:"reserved"`
}

type walletSumsJSON struct {
	Spendable *int64 `json:"spendable_sats"`
	Immature  *int64 `json:"immature_sats"`
	Locked    bool   `json:"locked"`
}

func (s *site) apiPaymentStats(r *http.Request) (any, error) {
	money, err := s.box.Money(r.Context())
	if err != nil {
		return nil, err
	}
	owed, err := s.box.Owed(r.Context())
	if err != nil {
		return nil, err
	}
	all, err := s.box.Payouts(r.Context())
	if err != nil {
		return nil, err
	}
	answer := paymentStatsJSON{
		Accounts: len(owed),
		Balance:  balanceSums{Payable: money.Owed, Pending: money.Pending, Reserved: money.Reserved},
		Due:      dueOf(owed),
		Wallet:   walletSumsJSON{Spendable: money.Trusted, Immature: money.Immature, Locked: money.Locked},
		Payouts:  map[string]int{},
		Frozen:   orNull(money.Frozen),
		AsOf:     s.now().UTC().Truncate(time.Second),
	}
	for _, p := range all {
		answer.Payouts[p.State]++
	}
	return answer, nil
}

// accountJSON is what the pool owes one account.
type accountJSON struct {
	Address   string  `json:"address"`
	Payable   int64   `json:"payable_sats"`
	Pending   int64   `json:"pending_sats"`
	Reserved  int64   `json:"reserved_sats"`
	Paid      int64   `json:"paid_sats"`
	MinPayout int64   `json:"min_payout_sats"` // its own; 0: the pool's
	Hold      bool    `json:"hold"`
	Due       bool    `json:"due"`
	Reason    *string `json:"reason"` // why the next payout leaves it out
}

func accountOf(o owedLine) accountJSON {
	return accountJSON{
		Address: o.Address, Payable: o.Payable, Pending: o.Pending, Reserved: o.Reserved, Paid: o.Paid,
		MinPayout: o.MinPayout, Hold: o.Hold, Due: o.Due, Reason: orNull(o.Reason),
	}
}

// apiBalances lists the accounts, those that are owed most first. The search
// finds a part of an address.
func (s *site) apiBalances(r *http.Request) (any, error) {
	owed, err := s.box.Owed(r.Context())
	if err != nil {
		return nil, err
	}
	return paged(r, searchOwed(owed, r.URL.Query().Get("search")), accountOf)
}

func (s *site) apiBalance(r *http.Request) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	owed, err := s.box.Owed(r.Context())
	if err != nil {
		return nil, err
	}
	for _, o := range owed {
		if o.Address == address {
			return accountOf(o), nil
		}
	}
	return nil, &problem{Status: http.StatusNotFound, Code: "not-found", Detail: "No block was shared with this address yet."}
}

// paymentJSON is a payout as a list has it; the fields below Problem only come
// with a single one.
type paymentJSON struct {
	ID            int64      `json:"id"`
	Rev           int64      `json:"rev"` // name it in commands
	State         string     `json:"state"`
	Kind          string     `json:"kind"` // "miners", or "sweep": the pool's own money to the cold address
	Total         int64      `json:"total_sats"`
	Recipients    int        `json:"recipients"`
	Fee           *int64     `json:"fee_sats"`
	TxID          *string    `json:"txid"`
	CreatedAt     time.Time  `json:"created_at"`
	CreatedBy     string     `json:"created_by"`
	UpdatedAt     *time.Time `json:"updated_at"`
	ExpiresAt     *time.Time `json:"expires_at"`
	Confirmations int32      `json:"confirmations"`
	Problem       *string    `json:"problem"`

	*planJSON
}

// planJSON is what a yes to a payout is a yes to.
type planJSON struct {
	Digest    string           `json:"digest"` // name it in the yes; empty before there is a plan
	FeeCap    int64            `json:"fee_cap_sats"`
	Change    int64            `json:"change_sats"`
	Items     []payItemJSON    `json:"items"`
	Inputs    []payInputJSON   `json:"inputs"`
	Approvals []payApproveJSON `json:"approvals"`
}

type payItemJSON struct {
	Address  string `json:"address"`
	Amount   int64  `json:"amount_sats"`    // taken from the account
	FeeShare int64  `json:"fee_share_sats"` // part of it that goes to the network
}

type payInputJSON struct {
	TxID   string `json:"txid"`
	Vout   uint32 `json:"vout"`
	Amount int64  `json:"amount_sats"`
}

type payApproveJSON struct {
	User   string    `json:"user"`
	Method string    `json:"method"`
	At     time.Time `json:"at"`
}

func paymentOf(p payoutLine) paymentJSON {
	return paymentJSON{
		ID: p.ID, Rev: p.Rev, State: p.State, Kind: p.Purpose, Total: p.Total, Recipients: p.Miners, Fee: p.Fee, TxID: orNull(p.TxID),
		CreatedAt: p.CreatedAt.UTC(), CreatedBy: p.CreatedBy, UpdatedAt: timeOf(p.UpdatedAt), ExpiresAt: timeOf(p.ExpiresAt),
		Confirmations: p.Confirmations, Problem: orNull(p.Problem),
	}
}

func wholePayment(v payoutView) paymentJSON {
	p := paymentOf(v.payoutLine)
	p.planJSON = &planJSON{
		Digest: v.Digest, FeeCap: v.FeeCap, Change: v.Change,
		Items: []payItemJSON{}, Inputs: []payInputJSON{}, Approvals: []payApproveJSON{},
	}
	for _, i := range v.Items {
		p.Items = append(p.Items, payItemJSON{Address: i.Address, Amount: i.Amount, FeeShare: i.FeeShare})
	}
	for _, i := range v.Inputs {
		p.Inputs = append(p.Inputs, payInputJSON(i))
	}
	for _, a := range v.Approvals {
		p.Approvals = append(p.Approvals, payApproveJSON{User: a.User, Method: a.Method, At: a.At.UTC()})
	}
	return p
}

// apiPayments lists the payouts, the newest first, all or those of one state.
func (s *site) apiPayments(r *http.Request) (any, error) {
	all, err := s.box.Payouts(r.Context())
	if err != nil {
		return nil, err
	}
	if state := r.URL.Query().Get("status"); state != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(p payoutLine) bool { return p.State != state })
	}
	return paged(r, all, paymentOf)
}

func (s *site) apiPayment(r *http.Request) (any, error) {
	v, err := s.findPayout(r.Context(), r)
	if err != nil {
		return nil, err
	}
	return wholePayment(v), nil
}

// apiPaymentsTo lists what an address was paid.
func (s *site) apiPaymentsTo(r *http.Request) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	return s.paidTo(r, address)
}

// paymentConfigJSON are the settings of the pool, by the names that the audit
// log uses, too.
type paymentConfigJSON struct {
	Rev      int64         `json:"rev"` // name it in a change
	Settings pool.Settings `json:"settings"`
}

func (s *site) apiConfig(r *http.Request) (any, error) {
	now, rev, err := s.box.Settings(r.Context())
	if err != nil {
		return nil, err
	}
	return paymentConfigJSON{Rev: rev, Settings: now}, nil
}

// paged cuts the page that the URL asks for out of a list.
func paged[L, J any](r *http.Request, lines []L, of func(L) J) (any, error) {
	limit, offset, err := paging(r, "")
	if err != nil {
		return nil, err
	}
	list := listJSON[J]{Items: []J{}, Total: int64(len(lines)), Limit: limit, Offset: offset}
	lo := min(offset, len(lines))
	for _, l := range lines[lo:min(lo+limit, len(lines))] {
		list.Items = append(list.Items, of(l))
	}
	return list, nil
}

// orNull is a text that is null when it is empty.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// idOf reads the number in a URL.
func idOf(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return id, nil
}
