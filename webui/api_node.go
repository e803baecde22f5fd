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

	Stratum  string        `json:"stratum"` // what happens to miners: open, waiting, paused or starting
	Chain    *string       `json:"chain"`   // as the node names it
	Says     []string      `json:"node_warnings"`
	PeersIn  *int          `json:"peers_in"`
	PeersOut *int          `json:"peers_out"`
	TipTime  *time.Time    `json:"tip_time"` // the block's own
	Fees     *int64        `json:"template_fees_sats"`
	News     newsJSON      `json:"new_blocks"`
	RPC      *rpcJSON      `json:"rpc"`
	Mempool  *mempoolJSON  `json:"mempool"`
	FeeRates []feeRateJSON `json:"fee_rates"`
	Disk     diskJSON      `json:"disk"`
}

// newsJSON is how new blocks become known.
type newsJSON struct {
	Way   *string  `json:"way"`   // zmq or poll
	First *string  `json:"first"` // what told of the last one
	Ready *float64 `json:"work_ready_seconds"`
	Sent  *float64 `json:"work_sent_seconds"`
}

// rpcJSON is how the node answered within the span; the times are of the newest calls.
type rpcJSON struct {
	Median float64 `json:"median_seconds"`
	P99    float64 `json:"p99_seconds"`
	Calls  int64   `json:"calls"`
	Failed int64   `json:"failed"`
	Span   int64   `json:"span_seconds"`
}

type mempoolJSON struct {
	Txs    int   `json:"transactions"`
	VBytes int64 `json:"vbytes"`
}

type feeRateJSON struct {
	Blocks int    `json:"blocks"`
	Rate   string `json:"sat_per_vb"`
}

// diskJSON is the disk of the node, and what its blocks take there.
type diskJSON struct {
	Blocks *int64 `json:"blocks_bytes"`
	Prune  *int64 `json:"prune_target_bytes"` // null: all blocks are kept, or not known
	Free   *int64 `json:"free_bytes"`
	Total  *int64 `json:"total_bytes"`
	Lasts  *int64 `json:"seconds_left"` // measured; null: not yet, or it does not fill up
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
	answer.addFigures(v.Figures)
	return answer, nil
}

func (j *nodeJSON) addFigures(f nodeFigures) {
	j.Stratum, j.Chain, j.PeersIn, j.PeersOut, j.TipTime, j.Fees = f.Stratum, orNull(f.Chain), f.PeersIn, f.PeersOut, timeOf(f.TipTime), f.Fees
	if f.Asked {
		j.Says = append([]string{}, f.Says...)
	}
	j.News = newsJSON{orNull(f.News.Way), orNull(f.News.First), f.News.Ready, f.News.Sent}
	if r := f.RPC; r != nil {
		j.RPC = &rpcJSON{*r.Median, *r.P99, r.Calls, r.Failed, int64(r.Span / time.Second)}
	}
	if p := f.Mempool; p != nil {
		j.Mempool = &mempoolJSON{p.Txs, *wholeBytes(p.Bytes)}
	}
	j.FeeRates = []feeRateJSON{}
	for _, r := range f.FeeRates {
		j.FeeRates = append(j.FeeRates, feeRateJSON(r))
	}
	j.Disk = diskJSON{Blocks: wholeBytes(f.Blocks), Prune: wholeBytes(f.PruneTo), Free: wholeBytes(f.DiskFree), Total: wholeBytes(f.DiskTotal)}
	if f.DiskLasts > 0 {
		j.Disk.Lasts = new(int64(f.DiskLasts / time.Second))
	}
}

// wholeBytes is a number of bytes.
func wholeBytes(v *float64) *int64 {
	if v == nil {
		return nil
	}
	return new(int64(*v))
}
