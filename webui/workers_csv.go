package webui

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// workersHead names the columns of the list of workers as CSV: one row for each
// worker that the page would show, in its order. Hash rates are in hashes per
// second, times are UTC, and what is not known is empty.
func workersHead() []string {
	return []string{
		"address", "worker", "label", "tags", "state", "hashrate_10m_hs", "hashrate_1h_hs", "hashrate_24h_hs", "hashrate_7d_hs",
		"difficulty", "accepted", "late", "rejected", "stale", "reasons", "best_session", "best_round", "best_ever", "best_ever_at",
		"first_share_at", "last_share_at", "user_agent", "banned",
	}
}

// workersCSV sends the workers that the page would list, without its pages.
func (s *site) workersCSV(w http.ResponseWriter, r *http.Request, _ caller) error {
	v, err := s.findWorkers(r)
	if err != nil {
		return err
	}
	out := beginCSV(w, "dmpool-workers.csv", workersHead())
	for _, line := range v.Lines {
		_ = out.Write(line.cells())
	}
	out.Flush()
	return gone(out.Error())
}

func (w workerLine) cells() []string {
	var reasons []string
	for _, r := range w.Reasons {
		reasons = append(reasons, r.Reason+" "+decimal(r.Count))
	}
	return []string{
		inert(w.Address), inert(w.Name), inert(w.Label), inert(strings.Join(w.Tags, " ")), inert(w.Status),
		cell(w.Rates.M10, 0), cell(w.Rates.H1, 0), cell(w.Rates.H24, 0), cell(w.Rates.D7, 0),
		cell(w.Difficulty, -1), decimal(w.Accepted), decimal(w.Late), decimal(w.Rejected), decimal(w.Stale()), inert(strings.Join(reasons, ", ")),
		cell(w.Best.Session, -1), cell(w.Best.Round, -1), cell(w.Best.Ever, -1), stampOf(w.Best.EverAt),
		stampOf(w.FirstShare), stampOf(w.LastShare), inert(w.UserAgent), inert(w.Banned),
	}
}

// cell writes a number with so many decimals, or as many as it has (-1).
func cell(v *float64, decimals int) string {
	if !known(v) {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
