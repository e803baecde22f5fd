package webui

import (
	"net/http"
	"strconv"
	"time"
)

// blockLine is one block that the pool found.
type blockLine struct {
	ID            int64
	Hash          string
	Height        int32
	FoundAt       time.Time
	State         string // as in the ledger: found, unknown, accepted, mature, orphaned, stale, rejected
	Value         int64
	Finder        string
	Worker        string
	Confirmations int32
	Maturity      int32    // confirmations at which it counts as mature
	Effort        *float64 // work of its round over that of a block on average, nil when not known
}

// took fills in the effort of the block's round.
func (l *blockLine) took(efforts map[int64]float64) {
	if effort, known := efforts[l.ID]; known {
		l.Effort = &effort
	}
}

// Luck is how many times less work the block took than one does on average.
func (l blockLine) Luck() *float64 {
	if !known(l.Effort) || *l.Effort == 0 {
		return nil
	}
	return new(1 / *l.Effort)
}

// blockView fills templates/block.html.
type blockView struct {
	blockLine
	Prev       string
	CoinbaseTx string
	Difficulty *float64
	Answer     string // of the node to submitblock
	Submitted  bool
	Frozen     bool   // the split is fixed
	Digest     string // of its receipt, "" when there is none
	Settlement string
	FeeBps     int64
	WindowPct  string // size of the PPLNS window in per cent of a block's work
	Fee        int64
	Donation   int64
	Reserve    int64
	Paid       int64 // by the coinbase itself to miners
	Credits    []creditLine
	Text       string // readable in the coinbase
	Outputs    []outputLine
}

// outputLine is an output of the block's coinbase.
type outputLine struct {
	Amount  int64
	Address string // empty when it pays no address
	Whose   string // "pool", "miner", "commitment", "other"
}

// creditLine is what one account gets of a block.
type creditLine struct {
	Address string
	Amount  int64
	Share   *float64 // of the block's value
	Paid    int64    // of Amount, by the coinbase itself; the rest is owed
}

// blocksView fills templates/blocks.html.
type blocksView struct {
	Lines []blockLine
	Older int64 // id to continue from, 0 at the end
	First bool  // this is the newest page
	Luck  luck
}

const blocksPerPage = 50

func (s *site) blocks(r *http.Request, _ caller) (any, error) {
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	lines, err := s.box.Blocks(r.Context(), before, blocksPerPage+1)
	if err != nil {
		return nil, err
	}
	v := blocksView{Lines: lines, First: before == 0, Luck: s.box.Chances(r.Context())}
	if len(lines) > blocksPerPage {
		v.Lines = lines[:blocksPerPage]
		v.Older = v.Lines[blocksPerPage-1].ID
	}
	efforts, err := s.box.Efforts(r.Context(), before, blocksPerPage)
	if err != nil {
		return nil, err
	}
	for i := range v.Lines {
		v.Lines[i].took(efforts)
	}
	return v, nil
}

func (s *site) block(r *http.Request, _ caller) (any, error) {
	v, err := s.box.Block(r.Context(), r.PathValue("hash"))
	if err != nil {
		return nil, err
	}
	efforts, err := s.box.Efforts(r.Context(), v.ID+1, 1)
	if err != nil {
		return nil, err
	}
	v.took(efforts)
	return v, nil
}

// Steps is the way of a block to money, with how far this one has come.
func (v blockView) Steps() []step {
	steps := []step{{Name: "found", Done: true}}
	switch v.State {
	case "orphaned", "stale", "rejected":
		return append(steps, step{Name: v.State, Done: true, Bad: true})
	}
	accepted := v.State == "accepted" || v.State == "mature"
	return append(steps,
		step{Name: "accepted", Done: accepted, Now: !accepted},
		step{Name: "mature", Done: v.State == "mature", Now: v.State == "accepted"})
}

// step is one station of a block or a payout.
type step struct {
	Name           string
	Done, Now, Bad bool
}

// Saying names the sentences about the block's state: those of a block that pays
// miners itself are others once it counts.
func (v blockView) Saying() string {
	if v.Paid > 0 && (v.State == "accepted" || v.State == "mature") {
		return v.State + "_direct"
	}
	return v.State
}
