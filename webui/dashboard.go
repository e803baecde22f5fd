package webui

import (
	"math"
	"net/http"
	"time"
)

// dashboardView fills templates/dashboard.html.
type dashboardView struct {
	Serving  bool   // miners get jobs
	Reason   string // why they do not
	Fallback string // why blocks are not settled as the settings say
	Rates    rates
	Online   int
	Offline  int
	Rejected *float64 // fraction of all shares
	Mostly   string   // the commonest reason for that, as in part_miners.reason; empty: none
	Best     bests
	Effort   *float64 // work of this round over the work expected for a block
	Luck     luck
	Money    moneyView
	Waiting  []payoutLine
	Feed     feedView
	Jobs     []jobLine
	Recent   []recentLine

	Range string
	Chart *chart
}

// moneyView is the state of the purse, in satoshis; nil is not known.
type moneyView struct {
	Owed     *int64 // payable now
	Pending  *int64 // credited by blocks that are not mature
	Reserved *int64 // in payouts under way
	Trusted  *int64 // what the wallet can spend
	Immature *int64
	Locked   bool // the wallet's passphrase has to be typed before the next payout
	Problem  string
	Frozen   string // why no payout moves, a sentence
}

// feedView is what the pool works on.
type feedView struct {
	Height     int32
	TipAt      time.Time
	TemplateAt time.Time
	Txs        int
	Value      *int64 // of the next block
	Difficulty *float64
	Peers      *int
	Problem    string // why the node did not answer, a sentence
	Phase      string
	Text       string
	Version    string
}

// recentLine is something that happened; Kind and State choose its words.
type recentLine struct {
	At     time.Time
	Kind   string // "block", "payout", "job", "login"
	State  string
	Height int32
	Amount int64
	Name   string
	IP     string // of a sign-in
	Link   string
}

// BestLuck is the best share of the round over the one that is usual for so much
// work: the median of the best is W/ln 2. It is nil where one of them is not known.
func (v dashboardView) BestLuck() *float64 {
	if !known(v.Best.Round) || !known(v.Effort) || !known(v.Feed.Difficulty) || *v.Effort == 0 || *v.Feed.Difficulty == 0 {
		return nil
	}
	return new(*v.Best.Round * math.Ln2 / (*v.Effort * *v.Feed.Difficulty))
}

func (s *site) dashboard(r *http.Request, _ caller) (any, error) {
	v, err := s.box.Dashboard(r.Context())
	if err != nil {
		return nil, err
	}
	v.Range = chartRange(r)
	v.Chart, err = s.hashrateChart(r, "", v.Range)
	return v, err
}
