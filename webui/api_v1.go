package webui

import (
	"encoding/json"
	"net/http"
	"time"
)

// poolJSON is what the pool does, as everybody may know it.
type poolJSON struct {
	Name       string         `json:"name"`
	Network    string         `json:"network"`
	Settlement string         `json:"settlement"`
	FeeBps     int64          `json:"fee_bps"`
	Serving    bool           `json:"serving"` // miners get work
	Hashrate   ratesJSON      `json:"hashrate_hs"`
	Workers    map[string]int `json:"workers"` // how many, by status
	Accepted   int64          `json:"accepted"`
	Rejected   int64          `json:"rejected"`
	Best       bestsJSON      `json:"best_difficulty"`
	Blocks     int64          `json:"blocks_found"`
	Effort     *float64       `json:"effort"`
	Height     int32          `json:"height"`
	Difficulty *float64       `json:"network_difficulty"`
	Value      *int64         `json:"next_block_sats"`
	LastShare  *time.Time     `json:"last_share_at"`
	StartedAt  *time.Time     `json:"started_at"`
	AsOf       time.Time      `json:"as_of"`
}

func (p poolJSON) undated() any {
	p.AsOf = time.Time{}
	return p
}

func (s *site) apiPool(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	blocks, err := s.countBlocks(r)
	if err != nil {
		return nil, err
	}
	who, rules, workers := s.box.Identity(), s.box.Rules(), v.byStatus()
	workers["offline"] += workers["banned"] // whom the operator keeps out is nobody's business
	delete(workers, "banned")
	return poolJSON{
		Name: who.Name, Network: who.Network, Settlement: rules.Settlement, FeeBps: rules.FeeBps, Serving: v.Serving,
		Hashrate: ratesJSON(v.Rates), Workers: workers, Accepted: v.Accepted, Rejected: v.Rejected, Best: bestsOf(v.Best),
		Blocks: blocks, Effort: v.Effort, Height: v.Height, Difficulty: v.Difficulty, Value: v.Value,
		LastShare: timeOf(v.LastShare), StartedAt: timeOf(v.StartedAt), AsOf: s.now().UTC().Truncate(time.Second),
	}, nil
}

// countBlocks is how many blocks were found, whatever became of them.
func (s *site) countBlocks(r *http.Request) (all int64, err error) {
	counts, err := s.box.CountBlocks(r.Context())
	for _, n := range counts {
		all += n
	}
	return all, err
}

// blockJSON is a block as everybody may know it: without its finder.
type blockJSON struct {
	Hash          string    `json:"hash"`
	Height        int32     `json:"height"`
	FoundAt       time.Time `json:"found_at"`
	State         string    `json:"state"`
	Value         int64     `json:"value_sats"`
	Confirmations int32     `json:"confirmations"` // -1: not in the chain
	Maturity      int32     `json:"maturity"`      // confirmations at which its money can be spent
}

func blockOf(b blockLine) blockJSON {
	return blockJSON{
		Hash: b.Hash, Height: b.Height, FoundAt: b.FoundAt.UTC(), State: b.State, Value: b.Value,
		Confirmations: b.Confirmations, Maturity: b.Maturity,
	}
}

func (s *site) apiBlocks(r *http.Request) (any, error) { return listBlocks(s, r, blockOf) }

// listBlocks lists the found blocks, the newest first.
func listBlocks[J any](s *site, r *http.Request, of func(blockLine) J) (any, error) {
	limit, offset, err := paging(r, "")
	if err != nil {
		return nil, err
	}
	total, err := s.countBlocks(r)
	if err != nil {
		return nil, err
	}
	lines, err := s.box.Blocks(r.Context(), 0, offset+limit)
	if err != nil {
		return nil, err
	}
	list := listJSON[J]{Items: []J{}, Total: total, Limit: limit, Offset: offset}
	for _, b := range lines[min(offset, len(lines)):min(offset+limit, len(lines))] {
		list.Items = append(list.Items, of(b))
	}
	return list, nil
}

// wholeBlockJSON is a block with how it was shared, but for who shared it: the
// receipt has that, without anybody's address.
type wholeBlockJSON struct {
	blockJSON
	splitSums

	Miners int `json:"miners"`
}

// splitSums are the sums of a block's split. They are null until it is frozen.
type splitSums struct {
	Previous   string   `json:"previous"`
	Coinbase   string   `json:"coinbase_txid"`
	Difficulty *float64 `json:"difficulty"`
	Settlement *string  `json:"settlement"`
	FeeBps     *int64   `json:"fee_bps"`
	Fee        *int64   `json:"fee_sats"`
	Donation   *int64   `json:"donation_sats"`
	Reserve    *int64   `json:"reserve_sats"`
	Paid       *int64   `json:"paid_by_block_sats"` // to miners, by the coinbase itself
	Receipt    *string  `json:"receipt"`            // where it is
	Digest     *string  `json:"receipt_sha256"`
}

func splitOf(v blockView) splitSums {
	sums := splitSums{Previous: v.Prev, Coinbase: v.CoinbaseTx, Difficulty: v.Difficulty}
	if v.Frozen {
		sums.Settlement, sums.FeeBps, sums.Fee = &v.Settlement, &v.FeeBps, &v.Fee
		sums.Donation, sums.Reserve, sums.Paid = &v.Donation, &v.Reserve, &v.Paid
	}
	if v.Digest != "" {
		sums.Receipt, sums.Digest = new("/api/v1/blocks/"+v.Hash+"/split.json"), &v.Digest
	}
	return sums
}

func (s *site) apiBlock(r *http.Request) (any, error) {
	v, err := s.box.Block(r.Context(), r.PathValue("hash"))
	if err != nil {
		return nil, err
	}
	return wholeBlockJSON{blockJSON: blockOf(v.blockLine), splitSums: splitOf(v), Miners: len(v.Credits)}, nil
}

// seriesJSON is a hash rate over time, the oldest point first.
type seriesJSON struct {
	Step   int         `json:"step_s"`
	Points []pointJSON `json:"points"`
}

// pointJSON is written as [time, rate]: the Unix time at which the step begins,
// and hashes per second, null where the pool was not running.
type pointJSON point

func (p pointJSON) MarshalJSON() ([]byte, error) { return json.Marshal([]any{p.At.Unix(), p.HS}) }

func (s *site) apiHashrate(r *http.Request) (any, error) {
	v, err := s.known404(r)
	if err != nil {
		return nil, err
	}
	name := r.URL.Query().Get("range")
	span := spanNamed(name)
	if name != "" && name != span.Name {
		return nil, invalid("The range is 24h, 7d or 30d.")
	}
	points, err := s.points(r.Context(), s.seriesOf(v.Address), span)
	if err != nil {
		return nil, err
	}
	answer := seriesJSON{Step: int(span.Step / time.Second), Points: []pointJSON{}}
	for _, p := range points {
		answer.Points = append(answer.Points, pointJSON(p))
	}
	return answer, nil
}
