package webui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// workerLine is one worker: an account's device.
type workerLine struct {
	Address    string
	Name       string
	Label      string // what the operators call it
	Account    string // and what they call its address
	Tags       []string
	Status     string // one of workerStates
	Banned     string // why it is banned, for operators; empty: it is not
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

// workerStates are what a worker can be: connected and sending shares, connected
// and silent for a while, connected without a share ever, away, or kept out.
func workerStates() []string { return []string{"online", "idle", "waiting", "offline", "banned"} }

// Here reports whether the worker is connected.
func (w workerLine) Here() bool {
	return w.Status == "online" || w.Status == "idle" || w.Status == "waiting"
}

// RejectRate is the rejected fraction of all shares, nil without shares.
func (w workerLine) RejectRate() *float64 {
	all := w.Accepted + w.Rejected
	if all == 0 {
		return nil
	}
	return new(float64(w.Rejected) / float64(all))
}

// Stale counts the shares that came for work that was over.
func (w workerLine) Stale() (n int64) {
	for _, r := range w.Reasons {
		if r.Reason == "stale" || r.Reason == "job-not-found" {
			n += r.Count
		}
	}
	return n
}

// reasonLine counts the shares that were rejected for one reason.
type reasonLine struct {
	Reason string
	Count  int64
}

// Kind is the reason if there are words for it: its name, its likely cause, and
// what to try.
func (r reasonLine) Kind() string {
	switch r.Reason {
	case "stale", "job-not-found", "duplicate", "low-difficulty", "time-out-of-range", "malformed", "rate-limited":
		return r.Reason
	}
	return "other"
}

// workersView fills templates/workers.html.
type workersView struct {
	Query  string
	Status string
	Sort   string // a name of rankings
	Down   bool   // the greatest first
	Page   int    // from 1
	Pages  int
	Found  int // that match
	Lines  []workerLine
	All    int
	Count  map[string]int // by status
	Bans   int
}

// pageOfWorkers is how many workers a page has.
const pageOfWorkers = 50

// maxLines bounds the other lists of workers: anybody can make up names, and a
// page with thousands of rows serves nobody.
const maxLines = 200

func (s *site) workers(r *http.Request, _ caller) (any, error) {
	v, err := s.findWorkers(r)
	if err != nil {
		return nil, err
	}
	bans, err := s.box.Bans(r.Context())
	if err != nil {
		return nil, err
	}
	v.Bans = len(bans)
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	v.cut(page)
	return v, nil
}

// findWorkers are all workers that the URL asks for, in its order.
func (s *site) findWorkers(r *http.Request) (workersView, error) {
	all, err := s.box.Workers(r.Context())
	if err != nil {
		return workersView{}, err
	}
	q := r.URL.Query()
	v := workersView{
		Query: cut(strings.TrimSpace(q.Get("q")), 100),
		Sort:  q.Get("sort"),
		All:   len(all),
		Count: map[string]int{},
	}
	if slices.Contains(workerStates(), q.Get("status")) {
		v.Status = q.Get("status")
	}
	by := rankingNamed(v.Sort)
	v.Sort, v.Down = by.Name, by.down
	if dir := q.Get("dir"); dir != "" {
		v.Down = dir == "down"
	}
	for _, w := range all {
		v.Count[w.Status]++
		if v.matches(w) {
			v.Lines = append(v.Lines, w)
		}
	}
	v.Found = len(v.Lines)
	slices.SortStableFunc(v.Lines, v.compare)
	return v, nil
}

// compare orders lines as asked, and those that are equal by address and name;
// without an order, by these alone.
func (v workersView) compare(a, b workerLine) int {
	if v.Sort == "" {
		return byName(a, b)
	}
	rank := rankingNamed(v.Sort).compare(a, b)
	if v.Down {
		rank = -rank
	}
	return cmp.Or(rank, byName(a, b))
}

// cut keeps one page of the lines, counted from 1.
func (v *workersView) cut(page int) {
	v.Pages = max(1, (v.Found+pageOfWorkers-1)/pageOfWorkers)
	v.Page = max(1, min(page, v.Pages))
	from := (v.Page - 1) * pageOfWorkers
	v.Lines = v.Lines[from:min(from+pageOfWorkers, v.Found)]
}

func (v workersView) matches(w workerLine) bool {
	if v.Status != "" && v.Status != w.Status {
		return false
	}
	text := strings.ToLower(strings.Join(append([]string{w.Address + "." + w.Name, w.Label, w.Account, w.UserAgent}, w.Tags...), " "))
	return strings.Contains(text, strings.ToLower(v.Query))
}

// Link is this page with some parameters changed, given as pairs.
func (v workersView) Link(pairs ...string) string {
	q := url.Values{}
	set := func(key, value, usual string) {
		q.Del(key)
		if value != usual {
			q.Set(key, value)
		}
	}
	set("q", v.Query, "")
	set("status", v.Status, "")
	set("sort", v.Sort, rankingNamed("").Name)
	if v.Down != rankingNamed(v.Sort).down {
		q.Set("dir", direction(v.Down))
	}
	for pair := range slices.Chunk(pairs, 2) {
		set(pair[0], pair[1], "")
	}
	return "?" + q.Encode()
}

// Order is a link that sorts by a column, or turns the order that is by it, and
// Sorted what aria-sort says of the column.
func (v workersView) Order(column string) string {
	down := rankingNamed(column).down
	if v.Sort == column {
		down = !v.Down
	}
	return v.Link("sort", column, "dir", direction(down))
}

// Sorted is the value of aria-sort for a column.
func (v workersView) Sorted(column string) string {
	switch {
	case v.Sort != column:
		return "none"
	case v.Down:
		return "descending"
	}
	return "ascending"
}

// column is a heading of the table, which sorts by it.
type column struct {
	View   workersView
	Column string
	Number bool
}

// Columns are the headings, in the order of the cells.
func (v workersView) Columns() []column {
	v.Lines = nil
	var all []column
	for _, name := range []string{"name", "state", "m10", "hashrate", "h24", "difficulty", "accepted", "rejected", "best", "last"} {
		all = append(all, column{View: v, Column: name, Number: name != "name" && name != "state" && name != "last"})
	}
	return all
}

// Turn is a link to the page so many pages on.
func (v workersView) Turn(by int) string { return v.Link("page", strconv.Itoa(v.Page+by)) }

// States are what workers can be.
func (workersView) States() []string { return workerStates() }

// Orders are the names of all orders.
func (workersView) Orders() []string {
	var names []string
	for _, o := range rankings() {
		names = append(names, o.Name)
	}
	return names
}

func direction(down bool) string {
	if down {
		return "down"
	}
	return "up"
}

// ranking is a way to sort workers.
type ranking struct {
	Name    string
	down    bool // usually the greatest first
	compare func(a, b workerLine) int
}

// rankings are all of them, the first being the usual one.
func rankings() []ranking {
	number := func(of func(workerLine) float64) func(a, b workerLine) int {
		return func(a, b workerLine) int { return cmp.Compare(of(a), of(b)) }
	}
	text := func(of func(workerLine) string) func(a, b workerLine) int {
		return func(a, b workerLine) int { return strings.Compare(strings.ToLower(of(a)), strings.ToLower(of(b))) }
	}
	state := func(w workerLine) float64 { return float64(slices.Index(workerStates(), w.Status)) }
	return []ranking{
		{"hashrate", true, number(func(w workerLine) float64 { return orZero(w.Rates.H1) })},
		{"m10", true, number(func(w workerLine) float64 { return orZero(w.Rates.M10) })},
		{"h24", true, number(func(w workerLine) float64 { return orZero(w.Rates.H24) })},
		{"name", false, text(func(w workerLine) string { return cmp.Or(w.Label, w.Name) })},
		{"address", false, text(func(w workerLine) string { return w.Address })},
		{"state", false, number(state)},
		{"difficulty", true, number(func(w workerLine) float64 { return orZero(w.Difficulty) })},
		{"accepted", true, number(func(w workerLine) float64 { return float64(w.Accepted) })},
		{"rejected", true, number(func(w workerLine) float64 { return orZero(w.RejectRate()) })},
		{"best", true, number(func(w workerLine) float64 { return orZero(w.Best.Ever) })},
		{"last", true, func(a, b workerLine) int { return a.LastShare.Compare(b.LastShare) }},
		{"agent", false, text(func(w workerLine) string { return w.UserAgent })},
	}
}

// rankingNamed is the order with a name, or the usual one.
func rankingNamed(name string) ranking {
	all := rankings()
	for _, o := range all {
		if o.Name == name {
			return o
		}
	}
	return all[0]
}

func byName(a, b workerLine) int {
	return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.Name, b.Name))
}

// busiest returns lines as they are or, of too many, those with the highest hash
// rates, and how many it left out.
func busiest(lines []workerLine) (kept []workerLine, more int) {
	if len(lines) <= maxLines {
		return lines, 0
	}
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b workerLine) int {
		return cmp.Or(cmp.Compare(orZero(b.Rates.H1), orZero(a.Rates.H1)), b.LastShare.Compare(a.LastShare))
	})
	return lines[:maxLines], len(lines) - maxLines
}

func orZero(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
