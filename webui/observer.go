package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// observerView fills templates/observer.html: all that the pool knows about
// one payout address. Whoever knows the address may see it.
type observerView struct {
	Address string // empty behind a private link
	Alias   string // what the operators call it, behind a private link only
	Private bool   // the page was opened by a private link: nothing on it tells the address
	Base    string // path of the page
	Known   bool   // the address has sent a share or was credited
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
	Turn    turn // of Shares
	Payouts []paidLine
	Paid    turn // of Payouts
	Blocks  []creditedLine
	Range   string
	Chart   *chart
	Reached *histogram
	Code    qr
}

// turn are the links to the pages before and after that of a list, empty when
// there are none.
type turn struct{ Newer, Older string }

// newTurn makes the links of a list that shows size lines from offset on.
func newTurn(q url.Values, name, id string, offset, size int, more bool) (t turn) {
	link := func(offset int) string {
		to := url.Values{}
		for key, values := range q {
			if key != name && key != "lang" && len(values) > 0 {
				to.Set(key, cut(values[0], 20))
			}
		}
		if offset > 0 {
			to.Set(name, strconv.Itoa(offset))
		}
		return "?" + to.Encode() + "#" + id
	}
	if offset > 0 {
		t.Newer = link(max(0, offset-size))
	}
	if more && offset+size <= maxOffset {
		t.Older = link(offset + size)
	}
	return t
}

// offsetOf reads where a list begins.
func offsetOf(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil {
		return 0
	}
	return max(0, min(n, maxOffset))
}

// balanceView is what an address is owed and was paid, in satoshis.
type balanceView struct {
	Unpaid   int64 // payable
	Pending  int64 // in blocks that are not mature
	Reserved int64 // in a payout under way
	Paid     int64
}

// RejectRate is the rejected fraction of all shares, nil without shares.
func (v observerView) RejectRate() *float64 {
	return workerLine{Accepted: v.Accepted, Rejected: v.Rejected}.RejectRate()
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

const recentShares, recentPayouts, recentBlocks = 50, 20, 50

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
		return s.again(w, r, who, "find", findView{Text: text, Reason: asSentence(err)})
	}
	http.Redirect(w, r, "/observer/"+url.PathEscape(address), http.StatusSeeOther)
	return nil
}

func (s *site) observer(r *http.Request, _ caller) (any, error) {
	v, err := s.observe(r)
	if err != nil {
		return nil, err
	}
	v.Base = "/observer/" + url.PathEscape(v.Address)
	if v.Code, err = paymentQR(v.Address); err != nil {
		return nil, err
	}
	err = s.fillObserver(r, &v, v.Address)
	return v, err
}

// fillObserver reads what the page shows beside the figures of the address.
func (s *site) fillObserver(r *http.Request, v *observerView, address string) (err error) {
	if !v.Known {
		return nil
	}
	ctx, q := r.Context(), r.URL.Query()
	v.Range = chartRange(r)
	if v.Chart, err = s.chart(ctx, s.seriesOf(address), v.Range, v.Base+"/hashrate.csv"); err != nil {
		return err
	}
	counts, err := s.box.Reached(ctx, address)
	if err != nil {
		return err
	}
	v.Reached = newHistogram(counts)
	from := offsetOf(q, "from")
	if v.Shares, _, err = s.box.Shares(ctx, address, recentShares+1, from); err != nil {
		return err
	}
	v.Turn = newTurn(q, "from", "shares-h", from, recentShares, len(v.Shares) > recentShares)
	v.Shares = v.Shares[:min(recentShares, len(v.Shares))]
	from = offsetOf(q, "paid")
	var all int64
	if v.Payouts, all, err = s.box.PaidTo(ctx, address, recentPayouts, from); err != nil {
		return err
	}
	v.Paid = newTurn(q, "paid", "paid-h", from, recentPayouts, int64(from+recentPayouts) < all)
	v.Blocks, err = s.box.Credited(ctx, address, recentBlocks)
	return err
}

// observe reads the address in the URL; one that is none is a 400 with the
// reason. Of very many workers it keeps the busiest, and what operators say about
// them is for operators.
func (s *site) observe(r *http.Request) (observerView, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return observerView{}, err
	}
	v, err := s.box.Observer(r.Context(), address)
	v.Workers, v.More = busiest(v.Workers)
	for i := range v.Workers {
		l := &v.Workers[i]
		l.Label, l.Account, l.Banned, l.Tags = "", "", "", nil
	}
	return v, err
}

// Status is that of the liveliest worker.
func (v observerView) Status() string {
	for _, state := range workerStates() {
		if slices.ContainsFunc(v.Workers, func(w workerLine) bool { return w.Status == state }) {
			return state
		}
	}
	return "offline"
}

// asSentence gives an error of a lower floor a capital and a full stop.
func asSentence(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "." // it may end with a sentence
}
