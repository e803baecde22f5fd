package webui

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

func (g *golden) LoadSnapshot(_ context.Context, w snapshotWish) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ordered = append(g.ordered, "snapshot "+w.File)
	if n := w.Node; n != nil {
		g.ordered = append(g.ordered, strings.Join([]string{n.URL, n.Cookie, n.User, n.Secret, n.Folder}, " "))
	}
	return g.fail
}

func (g *golden) StopSnapshot(context.Context, operator, string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ordered = append(g.ordered, "snapshot stop")
	return g.fail
}

// offeredSnapshot is how the page is on a young node.
func offeredSnapshot() snapshotView {
	return snapshotView{State: "none", Offered: true, Heights: []int32{935000, 910000}, Command: appliance.DumpCommand(935000)}
}

func TestSnapshotOnTheNodePage(t *testing.T) {
	tests := []struct {
		name string
		view snapshotView
		want []string
		not  []string
	}{
		{"nothing to say", snapshotView{State: "none"}, nil, []string{`id="snapshot"`, "/node/snapshot"}},
		{"offered", offeredSnapshot(), []string{`action="/node/snapshot"`, `action="/node/snapshot/node"`, "rollback=935000", `<option value="910000">`}, []string{"<progress", "/snapshot/stop"}},
		{
			"copying",
			snapshotView{State: "copying", Text: "It is copied.", Stoppable: true, Copied: new(0.25)},
			[]string{"It is copied.", `value="0.25"`, "/node/snapshot/stop"},
			[]string{`action="/node/snapshot"`},
		},
		{
			"verifying",
			snapshotView{State: "verifying", Text: "It verifies the history: block 402000, 43 %.", Checked: new(0.43)},
			[]string{"block 402,000, 43 %", `value="0.43"`},
			[]string{"/node/snapshot"},
		},
		{
			"failed", func() snapshotView {
				v := offeredSnapshot()
				v.State, v.Text = "failed", "The node did not begin: "+hostile+"."
				return v
			}(), []string{"The node did not begin", `role="alert"`, `action="/node/snapshot"`}, []string{hostile},
		},
	}
	for _, test := range tests {
		for _, lang := range languages() {
			t.Run(test.name+" "+lang.Tag, func(t *testing.T) {
				w := open(t, newGolden())
				w.signIn()
				w.box.node.Snapshot = test.view
				body := w.get("/node?lang=" + lang.Tag).body
				checkSays(t, body, test.want, test.not)
			})
		}
	}
}

// What the box knows becomes what the page shows.
func TestSnapshotOfNode(t *testing.T) {
	heights := []int32{935000, 840000}
	n := appliance.NodeStatus{Asked: true, Height: 120, Snapshot: appliance.SnapshotStatus{State: appliance.SnapshotNone, Heights: heights}}
	if v := snapshotOf(n); !v.Offered || !v.Shown() || v.Command == "" || v.Copied != nil || v.Checked != nil {
		t.Errorf("a young node: %+v", v)
	}
	n.Height = 935000
	if v := snapshotOf(n); v.Shown() {
		t.Errorf("a node that has come further: %+v", v)
	}
	n.Height, n.Asked = 0, false
	if v := snapshotOf(n); v.Shown() {
		t.Errorf("a node that does not answer: %+v", v)
	}
	n.Snapshot = appliance.SnapshotStatus{State: appliance.SnapshotCopying, Text: "Copying.", Done: 1, Total: 4, Heights: heights}
	if v := snapshotOf(n); !v.Stoppable || *v.Copied != 0.25 {
		t.Errorf("while it is copied: %+v", v)
	}
	n.Snapshot = appliance.SnapshotStatus{State: appliance.SnapshotVerifying, Text: "Verifying.", Height: 900000, Verified: 450000, Heights: heights}
	if v := snapshotOf(n); v.Offered || v.Stoppable || *v.Checked != 0.5 {
		t.Errorf("while the history is verified: %+v", v)
	}
}

func TestLoadSnapshot(t *testing.T) {
	const secret = "hunter2 of the other node"
	tests := []struct {
		name, path string
		form       url.Values
		want       string
	}{
		{"file", "/node/snapshot", url.Values{"file": {"/media/usb/utxo.dat"}}, "snapshot /media/usb/utxo.dat"},
		{
			"node", "/node/snapshot/node",
			url.Values{"url": {"http://127.0.0.1:8332"}, "user": {"pool"}, "secret": {secret}, "folder": {"/srv"}, "height": {"935000"}},
			"snapshot |http://127.0.0.1:8332  pool " + secret + " /srv",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, newGolden())
			w.box.node.Snapshot = offeredSnapshot()
			test.form.Set("password", password)
			if resp := w.do(http.MethodPost, test.path, test.form); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("without a session: status %d", resp.StatusCode)
			}
			w.signIn()
			if resp := w.do(http.MethodPost, test.path, test.form); resp.StatusCode != http.StatusForbidden {
				t.Errorf("without the form's token: status %d", resp.StatusCode)
			}
			test.form.Set("token", w.token())
			test.form.Set("password", "wrong")
			resp := w.do(http.MethodPost, test.path, test.form)
			checkPage(t, resp.body)
			if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "the password is wrong") || strings.Contains(resp.body, secret) || len(w.box.ordered) > 0 {
				t.Errorf("with a wrong password: status %d, %v", resp.StatusCode, w.box.ordered)
			}
			test.form.Set("password", password)
			resp = w.do(http.MethodPost, test.path, test.form)
			if got := strings.Join(w.box.ordered, "|"); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/node#snapshot" || got != test.want {
				t.Errorf("status %d, to %s, ordered %q", resp.StatusCode, resp.Header.Get("Location"), got)
			}
			w.box.fail = refused("The snapshot is of another network.")
			if resp := w.do(http.MethodPost, test.path, test.form); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "another network") {
				t.Errorf("a refused one: status %d", resp.StatusCode)
			}
		})
	}
	w := open(t, newGolden())
	w.signIn()
	form := url.Values{"token": {w.token()}, "password": {password}, "height": {"tall"}}
	if resp := w.do(http.MethodPost, "/node/snapshot/node", form); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a height that is none: status %d", resp.StatusCode)
	}
	if resp := w.do(http.MethodPost, "/node/snapshot/stop", url.Values{"token": {w.token()}}); resp.StatusCode != http.StatusSeeOther || w.box.ordered[0] != "snapshot stop" {
		t.Errorf("stop: status %d, %v", resp.StatusCode, w.box.ordered)
	}
}

// A snapshot's progress reaches an open page.
func TestSnapshotIsLive(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.node.Snapshot = snapshotView{State: "verifying", Text: "Block 1, 0 %."}
	live := w.listen("/node")
	if first := live.part("live-snapshot"); !strings.Contains(first, "Block 1, 0 %.") {
		t.Errorf("the first part: %q", first)
	}
}
