package webui

import (
	"context"
	"net/http"
	"time"
)

// nodeFigures are what the node told of itself, and how it answers. A nil pointer or a
// zero time is not known.
type nodeFigures struct {
	Stratum string // "open", "waiting", "paused" or "starting", see stratumOf
	Chain   string // as the node names it
	TipTime time.Time
	TipWarn time.Duration // the age of the tip from which on there is a warning; zero: never on this chain

	PeersIn, PeersOut *int
	Asked             bool     // the node answered, so that no warnings means none
	Says              []string // its own warnings, word by word

	Fees *int64 // of the transactions of the template
	News news

	Mempool  *mempoolView
	FeeRates []feeLine
	RPC      *rpcFigures

	Blocks    *float64 // bytes of blocks on its disk
	Pruned    bool     // the newest of them only
	PruneTo   *float64 // bytes of them that it keeps by itself
	DiskFree  *float64
	DiskTotal *float64
	DiskLasts time.Duration // measured; zero: not yet, or it does not fill up
}

// mempoolView is the transactions that wait for a block.
type mempoolView struct {
	Txs   int
	Bytes *float64 // virtual size
}

// coinsView counts the coins of the wallet that are mature.
type coinsView struct {
	Free, Taken int // Taken by payouts under way
}

// feeLine is what a transaction pays to confirm within some blocks.
type feeLine struct {
	Blocks int
	Rate   string // sat/vB
}

// news is how new blocks become known.
type news struct {
	Way   string // "zmq": the node announces them; "poll": it is asked; empty: not known
	First string // what told of the last one: "zmq", "long-poll", "poll", "interval"; empty before there was one

	Ready, Sent *float64 // seconds from there until there was work on it, and until all miners had it
}

// rpcFigures are how the node answered within the last hour, or since Span.
type rpcFigures struct {
	Median, P99   *float64 // seconds, of the newest calls
	Calls, Failed int64
	Span          time.Duration
}

// trialView is what came of asking the node for all that mining needs.
type trialView struct {
	At       time.Time
	Answer   *float64 // seconds
	Template *float64
	Txs      int
	Problem  string // a sentence; empty: all is well
}

// trials is what the node page needs to test the node.
type trials interface {
	// TryNode asks the node; what comes of it is on the node page for a while.
	TryNode(ctx context.Context)
}

// tryNode is the button "test now". It changes nothing but what the page shows.
func (s *site) tryNode(w http.ResponseWriter, r *http.Request, _ caller) error {
	s.box.TryNode(r.Context())
	http.Redirect(w, r, "/node#rpc", http.StatusSeeOther)
	return nil
}
