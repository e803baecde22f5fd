package webui

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// apiAge is how long an answer of the public API may be kept.
const apiAge = 10 * time.Second

// dated is an answer that says when it was made. Its ETag is that of the answer
// without the time, so that the same data have the same ETag.
type dated interface{ undated() any }

// json turns a function into a handler of the public API.
func (s *site) json(gather func(r *http.Request) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, _ caller) error {
		v, err := gather(r)
		if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "max-age="+strconv.Itoa(int(apiAge/time.Second)))
		return writeJSON(w, r, http.StatusOK, v)
	}
}

// writeJSON sends v, or 304 when the client has it already. How long the answer
// may be kept is for the caller to say.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	tag, err := entityTag(v, body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("ETag", tag)
	if status == http.StatusOK && matchesTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// entityTag is weak: two answers with the same data may differ in their time.
func entityTag(v any, body []byte) (string, error) {
	if d, ok := v.(dated); ok {
		var err error
		if body, err = json.Marshal(d.undated()); err != nil {
			return "", fmt.Errorf("encode answer: %w", err)
		}
	}
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`, nil
}

func matchesTag(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimSpace(t); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// ratesJSON are hashes per second; null is not known.
type ratesJSON struct {
	M10 *float64 `json:"m10"`
	H1  *float64 `json:"h1"`
	H24 *float64 `json:"h24"`
	D7  *float64 `json:"d7"`
}

type bestsJSON struct {
	Session *float64   `json:"session"`
	Round   *float64   `json:"round"`
	Ever    *float64   `json:"ever"`
	EverAt  *time.Time `json:"ever_at"`
}

type workerJSON struct {
	Name       string     `json:"name"`
	Status     string     `json:"status"`
	Hashrate   ratesJSON  `json:"hashrate_hs"`
	Difficulty *float64   `json:"difficulty"`
	Accepted   int64      `json:"accepted"`
	Rejected   int64      `json:"rejected"`
	Best       bestsJSON  `json:"best_difficulty"`
	LastShare  *time.Time `json:"last_share_at"`
	UserAgent  string     `json:"user_agent"`
}

type observerJSON struct {
	Address     string       `json:"address"`
	Network     string       `json:"network"`
	Hashrate    ratesJSON    `json:"hashrate_hs"`
	EstimateTHS *float64     `json:"estimated_hashrate_ths"`
	TotalShares int64        `json:"total_shares"`
	Accepted    int64        `json:"accepted"`
	Rejected    int64        `json:"rejected"`
	Best        bestsJSON    `json:"best_difficulty"`
	Workers     []workerJSON `json:"workers"` // of more than 200 the busiest
	AllWorkers  int          `json:"total_workers"`
	WindowPct   *float64     `json:"window_pct"`
	Estimate    *int64       `json:"next_block_estimate_sats"`
	Balance     balanceJSON  `json:"balance_sats"`
	AsOf        time.Time    `json:"as_of"`
}

func (o observerJSON) undated() any {
	o.AsOf = time.Time{}
	return o
}

type balanceJSON struct {
	Unpaid   int64 `json:"unpaid"`
	Pending  int64 `json:"pending"`
	Reserved int64 `json:"reserved"`
	Paid     int64 `json:"paid"`
}

// known404 reads the address of the URL and refuses one without shares.
func (s *site) known404(r *http.Request) (observerView, error) {
	v, err := s.observe(r)
	if err != nil {
		return v, err
	}
	if !v.Known {
		return v, &problem{Status: http.StatusNotFound, Code: "not-found", Detail: "No shares from this address yet."}
	}
	return v, nil
}

func (s *site) apiObserver(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	answer := observerJSON{
		Address:     v.Address,
		Network:     s.box.Identity().Network,
		Hashrate:    ratesJSON(v.Rates),
		TotalShares: v.Accepted + v.Rejected,
		Accepted:    v.Accepted,
		Rejected:    v.Rejected,
		Best:        bestsOf(v.Best),
		Workers:     []workerJSON{},
		AllWorkers:  len(v.Workers) + v.More,
		Estimate:    v.Estimate,
		Balance:     balanceJSON(v.Balance),
		AsOf:        s.now().UTC().Truncate(time.Second),
	}
	if v.Rates.H1 != nil {
		answer.EstimateTHS = new(*v.Rates.H1 / 1e12)
	}
	if v.WindowPct != nil {
		answer.WindowPct = new(*v.WindowPct * 100)
	}
	for _, w := range v.Workers {
		answer.Workers = append(answer.Workers, workerOf(w))
	}
	return answer, nil
}

func bestsOf(b bests) bestsJSON {
	return bestsJSON{Session: b.Session, Round: b.Round, Ever: b.Ever, EverAt: timeOf(b.EverAt)}
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// listJSON is one page of a list.
type listJSON[T any] struct {
	Items  []T   `json:"items"`
	Total  int64 `json:"total"`
	Limit  int   `json:"limit"`
	Offset int   `json:"offset"`
}

type shareJSON struct {
	At         time.Time `json:"at"`
	Worker     string    `json:"worker"`
	Difficulty float64   `json:"difficulty"`
	Achieved   float64   `json:"achieved_difficulty"`
	Late       bool      `json:"late"`
	Block      bool      `json:"block"`
}

func (s *site) apiShares(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	limit, offset, err := paging(r, " Single shares are kept for 48 hours; the address itself has the sums of all.")
	if err != nil {
		return nil, err
	}
	lines, total, err := s.box.Shares(r.Context(), v.Address, limit, offset)
	if err != nil {
		return nil, err
	}
	list := listJSON[shareJSON]{Items: []shareJSON{}, Total: total, Limit: limit, Offset: offset}
	for _, l := range lines {
		list.Items = append(list.Items, shareJSON{
			At: l.At.UTC(), Worker: l.Worker, Difficulty: l.Difficulty, Achieved: l.Achieved, Late: l.Late, Block: l.Block,
		})
	}
	return list, nil
}

type payoutJSON struct {
	ID            int64     `json:"id"`
	Amount        int64     `json:"amount_sats"`
	State         string    `json:"state"`
	TxID          *string   `json:"txid"`
	Vout          *int      `json:"vout"`
	CreatedAt     time.Time `json:"created_at"`
	Confirmations int32     `json:"confirmations"`
}

func (s *site) apiPayouts(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	return s.paidTo(r, v.Address)
}

// paidTo lists what an address was paid, the newest first.
func (s *site) paidTo(r *http.Request, address string) (any, error) {
	limit, offset, err := paging(r, "")
	if err != nil {
		return nil, err
	}
	lines, total, err := s.box.PaidTo(r.Context(), address, limit, offset)
	if err != nil {
		return nil, err
	}
	list := listJSON[payoutJSON]{Items: []payoutJSON{}, Total: total, Limit: limit, Offset: offset}
	for _, l := range lines {
		list.Items = append(list.Items, payoutOf(l))
	}
	return list, nil
}

func payoutOf(l paidLine) payoutJSON {
	return payoutJSON{
		ID: l.ID, Amount: l.Amount, State: l.State, TxID: orNull(l.TxID), Vout: l.Vout,
		CreatedAt: l.CreatedAt.UTC(), Confirmations: l.Confirmations,
	}
}

// maxOffset bounds what a page far back costs: all the lines before it are read.
const maxOffset = 10_000

// paging reads limit (1 to 500, 50 unless given) and offset (0 to maxOffset).
// The sentence beyond says what is to be had from further back.
func paging(r *http.Request, beyond string) (limit, offset int, err error) {
	limit, offset = 50, 0
	q := r.URL.Query()
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 500 {
			return 0, 0, invalid("The limit is a number from 1 to 500.")
		}
	}
	if text := q.Get("offset"); text != "" {
		if offset, err = strconv.Atoi(text); err != nil || offset < 0 || offset > maxOffset {
			return 0, 0, invalid(fmt.Sprintf("The offset is a number from 0 to %d.", maxOffset) + beyond)
		}
	}
	return limit, offset, nil
}
