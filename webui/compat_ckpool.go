package webui

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// This file answers in the shapes of ckpool's status files, which ckstats and
// others read. Their rules: a count is an integer that BigInt reads; a hash rate is
// digits and one of the letters K to P, or an integer; an address that nobody mines
// to is 404. There is no index of addresses.
//
// What the pool accepted is a sum of difficulties since its newest block, and its part
// of the network's has two decimals: ckstats divides one by the other to learn the
// network's difficulty, from which it tells odds. Other shares are counted one by one,
// where ckpool adds up their difficulties. The rates
// of one and of five minutes are one estimate, in which a share weighs less the
// older it is, with a mean age of five minutes; that of 15 covers 10 to 20.

type ckRates struct {
	M1  string `json:"hashrate1m"`
	M5  string `json:"hashrate5m"`
	M15 string `json:"hashrate15m,omitempty"`
	H1  string `json:"hashrate1hr"`
	H6  string `json:"hashrate6hr,omitempty"`
	D1  string `json:"hashrate1d"`
	D7  string `json:"hashrate7d"`
}

func ckRatesOf(live float64, r rates) ckRates {
	return ckRates{
		M1: suffixed(live), M5: suffixed(live), H1: suffixed(orZero(r.H1)), D1: suffixed(orZero(r.H24)), D7: suffixed(orZero(r.D7)),
	}
}

// suffixed writes a hash rate as ckpool does: "1.63T". Below 1000 it is an integer.
func suffixed(hs float64) string {
	if hs < 999.5 {
		return strconv.FormatFloat(math.Round(hs), 'f', 0, 64)
	}
	at, letters := -1, "KMGTP"
	for ; at < len(letters)-1 && (at < 0 || hs >= 999.5); at++ {
		hs /= 1000
	}
	decimals := 0
	for edge := 99.95; decimals < 2 && hs < edge; edge /= 10 {
		decimals++
	}
	return strconv.FormatFloat(hs, 'f', decimals, 64) + letters[at:at+1]
}

type ckPeople struct {
	Runtime      int64 `json:"runtime"` // seconds
	Updated      int64 `json:"lastupdate"`
	Users        int   `json:"Users"`
	Workers      int   `json:"Workers"`
	Idle         int   `json:"Idle"`
	Disconnected int   `json:"Disconnected"`
}

type ckShares struct {
	Effort   float64 `json:"diff"`     // since the newest block, of the network's difficulty, in per cent
	Accepted int64   `json:"accepted"` // difficulties since the newest block, added up
	Rejected int64   `json:"rejected"`
	Best     int64   `json:"bestshare"`
	SPS1     float64 `json:"SPS1m"`
	SPS5     float64 `json:"SPS5m"`
	SPS15    float64 `json:"SPS15m"`
	SPS60    float64 `json:"SPS1h"`
}

// ckStatus is three lines, each a JSON object. How many shares come in a second is
// told from the hash rate at the difficulties of now.
func (s *site) ckStatus(w http.ResponseWriter, r *http.Request, _ caller) error {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return err
	}
	count, sums := v.byStatus(), ckRatesOf(v.Live, v.Rates)
	sums.M15, sums.H6 = suffixed(orZero(v.Rates.M10)), suffixed(orZero(v.H6))
	each := func(rate *float64) float64 { // shares in a second at that rate
		if v.Live == 0 {
			return 0
		}
		return v.ShareRate * orZero(rate) / v.Live
	}
	effort := orZero(v.Effort)
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	for _, line := range []any{
		ckPeople{
			Runtime: since(v.StartedAt, s.now()), Updated: s.now().Unix(), Users: v.Users,
			Workers: v.here(), Idle: count["idle"], Disconnected: count["offline"],
		},
		sums,
		ckShares{
			Effort: math.Round(effort*1e4) / 100, Accepted: int64(math.Round(effort * orZero(v.Difficulty))),
			Rejected: v.Rejected, Best: int64(orZero(v.Best.Round)),
			SPS1: v.ShareRate, SPS5: v.ShareRate, SPS15: each(v.Rates.M10), SPS60: each(v.Rates.H1),
		},
	} {
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=10")
	_, err = w.Write(body.Bytes())
	return gone(err)
}

// since is how many seconds ago something was, 0 when it never was.
func since(t, now time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(now.Sub(t) / time.Second)
}

// unix is a time in seconds, 0 when there is none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

type ckUserJSON struct {
	ckRates

	LastShare  int64          `json:"lastshare"` // Unix seconds
	Workers    int            `json:"workers"`   // that are connected
	Shares     int64          `json:"shares"`
	Best       float64        `json:"bestshare"` // since the pool's newest block
	Ever       int64          `json:"bestever"`
	Authorised int64          `json:"authorised"` // of the oldest worker's first share; 0 before there is one
	List       []ckWorkerJSON `json:"worker"`
}

type ckWorkerJSON struct {
	Name string `json:"workername"`
	ckRates

	LastShare int64   `json:"lastshare"`
	Shares    int64   `json:"shares"`
	Best      float64 `json:"bestshare"`
	Ever      int64   `json:"bestever"`
}

// ckUser is a user in ckpool's words. A person's browser is led to the page.
func (s *site) ckUser(w http.ResponseWriter, r *http.Request, who caller) error {
	if strings.Contains(r.Header.Get("Accept"), "text/html") && !onAPIPort(r) {
		address, err := s.addressOf(r)
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/observer/"+url.PathEscape(address), http.StatusSeeOther)
		return nil
	}
	w.Header().Add("Vary", "Accept")
	return s.json(s.ckUserOf)(w, r, who)
}

func (s *site) ckUserOf(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	sessions, err := s.box.Sessions(r.Context(), v.Address)
	if err != nil {
		return nil, err
	}
	live, all := map[string]float64{}, 0.0
	for _, l := range sessions {
		live[l.Name] += l.Hashrate
		all += l.Hashrate
	}
	answer := ckUserJSON{
		ckRates: ckRatesOf(all, v.Rates), LastShare: unix(v.LastShare), Shares: v.Accepted, Best: orZero(v.Best.Round), Ever: int64(orZero(v.Best.Ever)),
		Authorised: unix(v.FirstShare), List: []ckWorkerJSON{},
	}
	for _, w := range v.Workers {
		if w.Here() {
			answer.Workers++
		}
		answer.List = append(answer.List, ckWorkerJSON{
			Name: strings.TrimSuffix(v.Address+"."+w.Name, "."), ckRates: ckRatesOf(live[w.Name], w.Rates),
			LastShare: unix(w.LastShare), Shares: w.Accepted, Best: orZero(w.Best.Round), Ever: int64(orZero(w.Best.Ever)),
		})
	}
	return answer, nil
}
