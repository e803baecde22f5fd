package webui

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deskWorkerJSON is a worker as the operator sees it: with its address.
type deskWorkerJSON struct {
	Address string `json:"address"`
	workerJSON
	Late    int64            `json:"late"`
	Reasons map[string]int64 `json:"reject_reasons"`
	Label   *string          `json:"label"`
	Tags    []string         `json:"tags"`
	Banned  *string          `json:"banned"` // why
}

func workerOf(w workerLine) workerJSON {
	return workerJSON{
		Name: w.Name, Status: w.Status, Hashrate: ratesJSON(w.Rates), Difficulty: w.Difficulty,
		Accepted: w.Accepted, Rejected: w.Rejected, Best: bestsOf(w.Best), LastShare: timeOf(w.LastShare), UserAgent: w.UserAgent,
	}
}

func deskWorkerOf(w workerLine) deskWorkerJSON {
	v := deskWorkerJSON{
		Address: w.Address, workerJSON: workerOf(w), Late: w.Late, Reasons: map[string]int64{},
		Label: orNull(w.Label), Tags: append([]string{}, w.Tags...), Banned: orNull(w.Banned),
	}
	for _, reason := range w.Reasons {
		v.Reasons[reason.Reason] = reason.Count
	}
	return v
}

// apiWorkers lists all workers of all addresses. The search and the order are
// those of the page.
func (s *site) apiWorkers(r *http.Request) (any, error) {
	all, err := s.box.Workers(r.Context())
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	v := workersView{Query: cut(strings.TrimSpace(q.Get("search")), 100), Status: q.Get("status"), Sort: q.Get("sort")}
	v.Down = rankingNamed(v.Sort).down
	lines := slices.DeleteFunc(slices.Clone(all), func(w workerLine) bool { return !v.matches(w) })
	slices.SortStableFunc(lines, v.compare)
	return paged(r, lines, deskWorkerOf)
}

// workerInfoJSON is a worker in the words of the earlier project.
type workerInfoJSON struct {
	Address    string     `json:"address"`
	Name       string     `json:"worker_name"`
	HashrateTH float64    `json:"hashrate_ths"` // of the last hour
	Shares     int64      `json:"shares_count"`
	Difficulty *float64   `json:"difficulty"`
	LastSeen   *time.Time `json:"last_seen"`
	FirstSeen  *time.Time `json:"first_seen"`
	Banned     bool       `json:"is_banned"`
	Tags       []string   `json:"tags"`
	Status     string     `json:"status"` // active, inactive or banned
}

// workerInfoOf has the tags of the worker and, of the marks, those of its address.
func workerInfoOf(w workerLine, marks []mark) workerInfoJSON {
	return workerInfoJSON{
		Address: w.Address, Name: w.Name, HashrateTH: orZero(w.Rates.H1) / 1e12, Shares: w.Accepted,
		Difficulty: w.Difficulty, LastSeen: timeOf(w.LastShare), FirstSeen: timeOf(w.FirstShare),
		Banned: w.Banned != "", Tags: allTags(w, marks), Status: activity(w),
	}
}

// allTags are those of a worker and of its address, each once.
func allTags(w workerLine, marks []mark) []string {
	tags := append([]string{}, w.Tags...)
	for _, m := range marks {
		if m.Address == w.Address && m.Worker == "" {
			tags = append(tags, m.Tags...)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// activity is a worker's status in the words of the earlier project.
func activity(w workerLine) string {
	switch {
	case w.Banned != "":
		return "banned"
	case !w.Here():
		return "inactive"
	}
	return "active"
}

// pageJSON is a page of a list in the way of the earlier project.
type pageJSON[T any] struct {
	Data       []T `json:"data"`
	Total      int `json:"total"`
	Page       int `json:"page"`
	PageSize   int `json:"page_size"`
	TotalPages int `json:"total_pages"`
}

// workerOrder sorts workers by a field, and those that are equal by address and name.
func workerOrder(field, direction string) (func(a, b workerLine) int, bool) {
	orders := map[string]func(a, b workerLine) int{
		"address":  func(a, b workerLine) int { return cmp.Compare(a.Address, b.Address) },
		"hashrate": func(a, b workerLine) int { return cmp.Compare(orZero(a.Rates.H1), orZero(b.Rates.H1)) },
		"shares":   func(a, b workerLine) int { return cmp.Compare(a.Accepted, b.Accepted) },
		"":         func(a, b workerLine) int { return a.LastShare.Compare(b.LastShare) },
	}
	orders["last_seen"] = orders[""]
	order, ok := orders[field]
	sign := -1
	switch direction {
	case "", "desc":
	case "asc":
		sign = 1
	default:
		ok = false
	}
	return func(a, b workerLine) int {
		return cmp.Or(sign*order(a, b), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	}, ok
}

// apiWorkerPage lists workers by page, page_size, search, status, sort_by and
// sort_order.
func (s *site) apiWorkerPage(r *http.Request) (any, error) {
	q := r.URL.Query()
	page, err := countOf(q.Get("page"), 1, 1, 1_000_000)
	if err != nil {
		return nil, invalid("The page is a number from 1 on.")
	}
	size, err := countOf(q.Get("page_size"), 20, 1, 100)
	if err != nil {
		return nil, invalid("The page_size is a number from 1 to 100.")
	}
	order, ok := workerOrder(q.Get("sort_by"), q.Get("sort_order"))
	if !ok {
		return nil, invalid("Sort by address, hashrate, shares or last_seen, in the order asc or desc.")
	}
	status := q.Get("status")
	if !slices.Contains([]string{"", "active", "inactive", "banned"}, status) {
		return nil, invalid("The status is active, inactive or banned.")
	}
	all, err := s.box.Workers(r.Context())
	if err != nil {
		return nil, err
	}
	marks, err := s.box.Marks(r.Context(), "")
	if err != nil {
		return nil, err
	}
	search := workersView{Query: cut(strings.TrimSpace(q.Get("search")), 100)}
	lines := slices.DeleteFunc(slices.Clone(all), func(w workerLine) bool {
		return !search.matches(w) || status != "" && status != activity(w)
	})
	slices.SortStableFunc(lines, order)
	answer := pageJSON[workerInfoJSON]{
		Data: []workerInfoJSON{}, Total: len(lines), Page: page, PageSize: size, TotalPages: (len(lines) + size - 1) / size,
	}
	from := min((page-1)*size, len(lines))
	for _, w := range lines[from:min(from+size, len(lines))] {
		answer.Data = append(answer.Data, workerInfoOf(w, marks))
	}
	return answer, nil
}

// countOf reads a number of a query, usual when it is not there.
func countOf(text string, usual, least, most int) (int, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, err
	}
	if n < least || n > most {
		return 0, strconv.ErrRange
	}
	return n, nil
}

// minerJSON is what the pool knows of one address, for the operator.
type minerJSON struct {
	Address  string           `json:"address"`
	Total    int64            `json:"total_shares"`
	Workers  map[string]int64 `json:"worker_stats"`   // accepted shares, by name
	Shares   []minerShareJSON `json:"shares_history"` // of 48 hours the newest
	Payments []payoutJSON     `json:"payments"`       // the newest
}

type minerShareJSON struct {
	At         time.Time `json:"timestamp"`
	Difficulty float64   `json:"difficulty"`
}

// historyLines is how many shares and payments come with an address.
const historyLines = 100

func (s *site) apiMiner(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	answer := minerJSON{Address: v.Address, Total: v.Accepted, Workers: map[string]int64{}, Shares: []minerShareJSON{}, Payments: []payoutJSON{}}
	for _, w := range v.Workers {
		answer.Workers[w.Name] = w.Accepted
	}
	lines, _, err := s.box.Shares(r.Context(), v.Address, historyLines, 0)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		answer.Shares = append(answer.Shares, minerShareJSON{l.At.UTC(), l.Difficulty})
	}
	paid, _, err := s.box.PaidTo(r.Context(), v.Address, historyLines, 0)
	if err != nil {
		return nil, err
	}
	for _, p := range paid {
		answer.Payments = append(answer.Payments, payoutOf(p))
	}
	return answer, nil
}
