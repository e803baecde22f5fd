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
	Next     string   // what to do about the node's state, a sentence
	Notice   string   // what to know about this network, or the way to the node
	Warnings []string // what to mend at this machine, in sentences
	Repair   bool     // a repair of the node waits for the operator
	Wrong    bool     // the password for it was wrong
	Address  string   // of a node that somebody else runs; empty: the box runs it

	Abilities []abilityView // of that node

	LeftLeast, LeftMost time.Duration // of the download; zero is not known
	PID                 int
	Restarts            int
	Since               time.Time
	Log                 []string
	Figures             nodeFigures
	Tried               *trialView // the last "test now" of somebody; nil: none lately
	Wallet              walletView
	Core                coreView
	Snapshot            snapshotView
}

// abilityView is what a node that somebody else runs does for the pool, or not.
type abilityView struct {
	OK   bool
	Text string
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

func (s *site) node(r *http.Request, _ caller) (any, error) {
	return s.box.Node(r.Context()), nil
}

// repairNode orders the repair that the node waits for.
func (s *site) repairNode(w http.ResponseWriter, r *http.Request, who caller) error {
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		v := s.box.Node(r.Context())
		v.Wrong = true
		return s.again(w, r, who, "node", v)
	}
	if err := s.box.RepairNode(r.Context(), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/node", http.StatusSeeOther)
	return nil
}
