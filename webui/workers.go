package webui

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// workerLine is one worker: an account's device.
type workerLine struct {
	Address    string
	Name       string
	Status     string // "online", "idle" (connected, no share for a while), "waiting" (connected, no share ever), "offline"
	Rates      rates
	Difficulty *float64
	Accepted   int64
	Late       int64
	Rejected   int64
	Reasons    []reasonLine
	Best       bests
	FirstShare time.Time
	LastShare  time.Time
	UserAgent  string
}

// reasonLine counts the shares that were rejected for one reason.
type reasonLine struct {
	Reason string
	Count  int64
}

// RejectRate is the rejected fraction of all shares, nil without shares.
func (w workerLine) RejectRate() *float64 {
	all := w.Accepted + w.Rejected
	if all == 0 {
		return nil
	}
	return new(float64(w.Rejected) / float64(all))
}

// workersView fills templates/workers.html.
type workersView struct {
	Query  string
	Status string
	Sort   string
	Lines  []workerLine
	More   int // that match and are not in Lines
	All    int
	Count  map[string]int // by status
}

func (s *site) workers(r *http.Request, _ caller) (any, error) {
	all, err := s.box.Workers(r.Context())
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	v := workersView{
		Query:  cut(strings.TrimSpace(q.Get("q")), 100),
		Status: q.Get("status"),
		Sort:   q.Get("sort"),
		All:    len(all),
		Count:  map[string]int{},
	}
	if !slices.Contains([]string{"hashrate", "best", "last"}, v.Sort) {
		v.Sort = ""
	}
	for _, w := range all {
		v.Count[w.Status]++
		if v.matches(w) {
			v.Lines = append(v.Lines, w)
		}
	}
	v.order()
	return v, nil
}

// order sorts the lines as asked and keeps the first of them. By name, where
// being first means nothing, it keeps the busiest.
func (v *workersView) order() {
	rank := v.compare
	if v.Sort == "" {
		rank = busier
	}
	v.Lines, v.More = first(v.Lines, rank)
	slices.SortStableFunc(v.Lines, v.compare)
}

// maxLines bounds the lists of workers: anybody can make up names, and a page
// with thousands of rows serves nobody.
const maxLines = 200

// first returns lines as they are or, of too many, the first by rank and how
// many it left out.
func first(lines []workerLine, rank func(a, b workerLine) int) (kept []workerLine, more int) {
	if len(lines) <= maxLines {
		return lines, 0
	}
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, rank)
	return lines[:maxLines], len(lines) - maxLines
}

// busier puts the higher hash rate first and, of equal ones, the later share.
func busier(a, b workerLine) int {
	return cmp.Or(cmp.Compare(orZero(b.Rates.H1), orZero(a.Rates.H1)), b.LastShare.Compare(a.LastShare))
}

func (v workersView) matches(w workerLine) bool {
	if v.Status != "" && v.Status != w.Status {
		return false
	}
	text := strings.ToLower(w.Address + "." + w.Name + " " + w.UserAgent)
	return strings.Contains(text, strings.ToLower(v.Query))
}

// compare orders lines as asked, and those that are equal by address and name.
func (v workersView) compare(a, b workerLine) int {
	name := cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	switch v.Sort {
	case "hashrate":
		return cmp.Or(cmp.Compare(orZero(b.Rates.H1), orZero(a.Rates.H1)), name)
	case "best":
		return cmp.Or(cmp.Compare(orZero(b.Best.Ever), orZero(a.Best.Ever)), name)
	case "last":
		return cmp.Or(b.LastShare.Compare(a.LastShare), name)
	}
	return name
}

func orZero(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
