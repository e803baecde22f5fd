package webui

import (
	"net/http"
	"time"
)

// nodeJSON is how the node is, for operators. What it did not answer is null.
type nodeJSON struct {
	Phase      string     `json:"phase"` // of the process, or of the chain: ready, ibd, catching-up …
	Text       string     `json:"text"`  // what it does now, a sentence
	NextStep   *string    `json:"next_step"`
	Problem    *string    `json:"problem"`
	Version    *string    `json:"version"`
	Address    *string    `json:"address"` // of a node that somebody else runs
	Height     *int32     `json:"height"`
	Headers    *int32     `json:"headers"`
	Progress   *float64   `json:"verification_progress"` // 0 to 1
	Left       *int64     `json:"seconds_left"`          // of the download, at most
	Peers      *int       `json:"peers"`
	TipAt      *time.Time `json:"tip_at"`
	TemplateAt *time.Time `json:"template_at"`
	Txs        int        `json:"template_transactions"`
	Value      *int64     `json:"next_block_sats"`
	Difficulty *float64   `json:"network_difficulty"`
	Serving    bool       `json:"serving"` // miners get work
	Reason     *string    `json:"reason"`  // why they do not
	Warnings   []string   `json:"warnings"`
}

func (s *site) apiNode(r *http.Request) (any, error) {
	v := s.box.Node(r.Context())
	f := v.Feed
	answer := nodeJSON{
		Phase: f.Phase, Text: f.Text, NextStep: orNull(v.Next), Problem: orNull(f.Problem), Version: orNull(f.Version),
		Address: orNull(v.Address), Progress: v.Progress, Peers: f.Peers, TipAt: timeOf(f.TipAt), TemplateAt: timeOf(f.TemplateAt),
		Txs: f.Txs, Value: f.Value, Difficulty: f.Difficulty, Serving: v.Serving, Reason: orNull(v.Reason), Warnings: []string{},
	}
	if v.Progress != nil { // the node answered
		answer.Height, answer.Headers = &f.Height, &v.Headers
	}
	if v.LeftMost > 0 {
		answer.Left = new(int64(v.LeftMost / time.Second))
	}
	answer.Warnings = append(answer.Warnings, v.Warnings...)
	return answer, nil
}
