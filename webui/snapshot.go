package webui

import (
	"context"
	"net/http"
	"strconv"

	"github.com/dmpool/dmpool/appliance"
)

// snapshots is how a node begins from a snapshot of the coins.
type snapshots interface {
	LoadSnapshot(ctx context.Context, w snapshotWish) error
	StopSnapshot(ctx context.Context, op operator, ip string) error
}

// snapshotWish asks for a snapshot: a file, or from a node.
type snapshotWish struct {
	File string
	Node *snapshotNode
	Op   operator
	IP   string
}

// snapshotNode is a node that is to write the snapshot.
type snapshotNode struct {
	URL, Cookie, User, Secret, Folder string
	Height                            int32
}

// snapshotView is the section about a snapshot on the node page.
type snapshotView struct {
	State     string // of appliance.SnapshotStatus
	Text      string // a sentence about it
	Stoppable bool
	Offered   bool     // one can be loaded now
	Copied    *float64 // part of the file; nil: nothing is copied
	Checked   *float64 // part of the history; nil: nothing is verified now
	Heights   []int32  // that can be chosen, the newest first
	Command   string   // what to run on another machine
	Wrong     string   // form whose password was wrong: "file" or "node"
}

// Shown tells whether there is anything to say about snapshots.
func (v snapshotView) Shown() bool { return v.Offered || v.Text != "" }

func (s *site) loadSnapshot(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.wishSnapshot(w, r, who, "file", snapshotWish{File: cut(r.PostFormValue("file"), 4096)})
}

func (s *site) loadSnapshotOf(w http.ResponseWriter, r *http.Request, who caller) error {
	height, err := strconv.ParseInt(r.PostFormValue("height"), 10, 32)
	if err != nil {
		return invalid("The height of the block is no number.")
	}
	field := func(name string, most int) string { return cut(r.PostFormValue(name), most) }
	return s.wishSnapshot(w, r, who, "node", snapshotWish{Node: &snapshotNode{
		URL: field("url", 200), Cookie: field("cookie", 4096), User: field("user", 200), Secret: field("secret", 1024),
		Folder: field("folder", 4096), Height: int32(height),
	}})
}

// wishSnapshot asks for one, with the operator's password.
func (s *site) wishSnapshot(w http.ResponseWriter, r *http.Request, who caller, form string, wish snapshotWish) error {
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		v := s.box.Node(r.Context())
		v.Snapshot.Wrong = form
		return s.again(w, r, who, "node", v)
	}
	wish.Op, wish.IP = who.Operator, who.IP.String()
	if err := s.box.LoadSnapshot(r.Context(), wish); err != nil {
		return err
	}
	http.Redirect(w, r, "/node#snapshot", http.StatusSeeOther)
	return nil
}

func (s *site) stopSnapshot(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.box.StopSnapshot(r.Context(), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/node#snapshot", http.StatusSeeOther)
	return nil
}

// snapshotOf is what the page says of the node's snapshot.
func snapshotOf(n appliance.NodeStatus) snapshotView {
	s := n.Snapshot
	v := snapshotView{
		State: s.State, Text: s.Text, Stoppable: s.Stoppable(), Offered: n.Asked && s.Offered(n.Height),
		Heights: s.Heights,
	}
	if v.Offered {
		v.Command = appliance.DumpCommand(s.Heights[0])
	}
	if s.Total > 0 {
		v.Copied = new(float64(s.Done) / float64(s.Total))
	}
	if s.State == appliance.SnapshotVerifying && s.Height > 0 {
		v.Checked = new(float64(s.Verified) / float64(s.Height))
	}
	return v
}

func (m *machine) LoadSnapshot(ctx context.Context, w snapshotWish) error {
	wish := appliance.SnapshotWish{File: w.File, Actor: w.Op.Name, IP: w.IP}
	if n := w.Node; n != nil {
		wish.Node = &appliance.SnapshotNode{
			URL: n.URL, CookieFile: n.Cookie, User: n.User, Password: n.Secret, Folder: n.Folder, Height: n.Height,
		}
	}
	return asProblem(m.box.LoadSnapshot(ctx, wish))
}

func (m *machine) StopSnapshot(ctx context.Context, op operator, ip string) error {
	return asProblem(m.box.StopSnapshot(ctx, op.Name, ip))
}
