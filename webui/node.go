package webui

import (
	"net/http"
	"time"
)

// nodeView fills templates/node.html.
type nodeView struct {
	Feed     feedView
	Serving  bool
	Reason   string
	Headers  int32
	Progress *float64 // verification, 0 to 1
	IBD      bool     // still downloading the chain
	PID      int
	Restarts int
	Since    time.Time
	Log      []string
	Wallet   walletView
}

// walletView is the pool's wallet in the node; nil is not known.
type walletView struct {
	Name, Mode, Problem string
	Locked              bool
	Trusted             *int64
	Immature            *int64
	Pending             *int64
	Address             string
}

// Synced reports whether the node has every block that it has heard of.
func (v nodeView) Synced() bool {
	return v.Feed.Phase == "ready" && !v.IBD && v.Headers > 0 && v.Feed.Height == v.Headers
}

func (s *site) node(r *http.Request, _ caller) (any, error) {
	return s.box.Node(r.Context()), nil
}
