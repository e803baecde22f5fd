package webui

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// observerView fills templates/observer.html: all that the pool knows about
// one payout address. Whoever knows the address may see it.
type observerView struct {
	Address string
	Known   bool // the address has sent a share or was credited
	Rates   rates

	FirstShare time.Time
	LastShare  time.Time
	Best       bests
	Accepted   int64
	Rejected   int64
	Reasons    []reasonLine
	Workers    []workerLine
	More       int // workers that are not in Workers
	Balance    balanceView
	MinPayout  int64
	Luck       luck
	Solo       bool     // a block belongs to whoever finds it: there is no window
	WindowPct  *float64 // fraction of the PPLNS window, nil when not known
	Estimate   *int64   // sats that the next block would pay, nil when not known

	Shares  []shareLine
	Payouts []paidLine
	Blocks  []creditedLine
	Range   string
	Chart   *chart
	Code    qr
}

// balanceView is what an address is owed and was paid, in satoshis.
type balanceView struct {
	Unpaid   int64 // payable
	Pending  int64 // in blocks that are not mature
	Reserved int64 // in a payout under way
	Paid     int64
}

// Progress is how much of the minimum payout is together, at most 1.
func (v observerView) Progress() float64 {
	if v.MinPayout <= 0 {
		return 1
	}
	return min(1, float64(v.Balance.Unpaid)/float64(v.MinPayout))
}

// shareLine is one accepted share.
type shareLine struct {
	At         time.Time
	Worker     string
	Difficulty float64
	Achieved   float64
	Late       bool
	Block      bool // it found a block
}

// paidLine is one amount in one payout.
type paidLine struct {
	ID            int64
	Amount        int64
	State         string
	TxID          string
	Vout          *int
	CreatedAt     time.Time
	Confirmations int32
}

// findView fills templates/find.html.
type findView struct {
	Text   string
	Reason string // why the text is no address
}

const recentShares, recentPayouts, recentBlocks = 20, 20, 20

// findObserver is the search page; ?address= leads to the address's page.
func (s *site) findObserver(w http.ResponseWriter, r *http.Request, who caller) error {
	text := strings.TrimSpace(cut(r.URL.Query().Get("address"), 200))
	if text == "" {
		s.show(w, r, who, http.StatusOK, "find", findView{})
		return nil
	}
	// People paste what they typed into the miner: "bitcoin:ADDRESS", "ADDRESS.rig".
	text = strings.TrimPrefix(text, "bitcoin:")
	name, _, _ := strings.Cut(text, ".")
	address, err := s.box.ParseAddress(name)
	if err != nil {
		return s.again(w, r, who, "find", findView{Text: text, Reason: err.Error()})
	}
	http.Redirect(w, r, "/observer/"+url.PathEscape(address), http.StatusSeeOther)
	return nil
}

func (s *site) observer(r *http.Request, _ caller) (any, error) {
	ctx := r.Context()
	v, err := s.observe(r)
	if err != nil {
		return nil, err
	}
	if v.Code, err = paymentQR(v.Address); err != nil {
		return nil, err
	}
	if !v.Known {
		return v, nil
	}
	v.Range = chartRange(r)
	if v.Chart, err = s.hashrateChart(r, v.Address, v.Range); err != nil {
		return nil, err
	}
	if v.Shares, _, err = s.box.Shares(ctx, v.Address, recentShares, 0); err != nil {
		return nil, err
	}
	if v.Payouts, _, err = s.box.PaidTo(ctx, v.Address, recentPayouts, 0); err != nil {
		return nil, err
	}
	v.Blocks, err = s.box.Credited(ctx, v.Address, recentBlocks)
	return v, err
}

// observe reads the address in the URL; one that is none is a 400 with the
// reason. Of very many workers it keeps the busiest.
func (s *site) observe(r *http.Request) (observerView, error) {
	address, err := s.box.ParseAddress(cut(r.PathValue("address"), 200))
	if err != nil {
		return observerView{}, invalid(asSentence(err))
	}
	v, err := s.box.Observer(r.Context(), address)
	v.Workers, v.More = busiest(v.Workers)
	return v, err
}

// asSentence gives an error of a lower floor a capital and a full stop.
func asSentence(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
