package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The node page says how far the node is, in words, and claims no end of it
// that is not known.
func TestNodePageTellsProgress(t *testing.T) {
	tests := []struct {
		name   string
		change func(*nodeView)
		want   []string
		not    []string
	}{
		{"ready", func(*nodeView) {}, []string{"running", "It has every block that its peers have"}, []string{"<progress", "The rest takes"}},
		{"pruned, without announcements", func(v *nodeView) { v.Figures.Pruned, v.Figures.News.Way = true, "poll" }, []string{"the newest; older", "asked several times a second"}, []string{"(all there are)"}},
		{"disk of somebody else", func(v *nodeView) { v.Address, v.Figures.DiskFree = "http://10.0.0.7:8332", nil }, nil, []string{"Free on that disk"}},
		{"download", func(v *nodeView) {
			v.Feed.Phase, v.Feed.Text = "ibd", "It downloads and checks the chain."
			v.Progress, v.LeftLeast, v.LeftMost = new(0.5), 20*time.Hour, 30*time.Hour
		}, []string{"downloading", "<progress", "The rest takes 20 h to 30 h at this speed."}, []string{"running<"}},
		{"download without an estimate", func(v *nodeView) {
			v.Feed.Phase, v.Feed.Text, v.Progress = "ibd", "It downloads and checks the chain.", new(0.5)
		}, []string{"downloading", "<progress"}, []string{"The rest takes"}},
		{"an even estimate", func(v *nodeView) {
			v.Feed.Phase, v.Progress, v.LeftLeast, v.LeftMost = "catching-up", new(0.99), 30*time.Minute, 30*time.Minute
		}, []string{"catching up", "The rest takes about 30 min"}, nil},
		{"headers", func(v *nodeView) {
			v.Feed.Phase, v.Feed.Text, v.Progress = "headers-presync", "It looks for the longest chain: 402000 headers so far.", new(0.0)
		}, []string{"looking for the chain", "402000 headers"}, []string{"<progress"}},
		{"refused", func(v *nodeView) {
			v.Feed.Phase, v.Feed.Text, v.Next = "failed", "The node is Bitcoin Knots.", "Use Bitcoin Core."
		}, []string{"failed", "The node is Bitcoin Knots. Use Bitcoin Core."}, []string{"<progress"}},
		{"warned", func(v *nodeView) { v.Warnings = []string{"The disk fills up. Make room."} }, []string{"The disk fills up. Make room."}, nil},
		{"of somebody else", func(v *nodeView) {
			v.Address, v.Abilities = "http://10.0.0.7:8332", []abilityView{{OK: false, Text: "It runs without wallets."}}
		}, []string{"http://10.0.0.7:8332", "never starts, stops or configures it", "It runs without wallets."}, []string{"<dt>Process", "<dt>Restarts"}},
		{"public signet", func(v *nodeView) { v.Notice = "Blocks cannot be found." }, []string{"Blocks cannot be found."}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGolden()
			test.change(&g.node)
			w := open(t, g)
			w.signIn()
			body := w.get("/node").body
			checkSays(t, body, test.want, test.not)
		})
	}
}

// Whoever connects a miner on the public signet is told that it finds no block.
func TestConnectPageTellsOfSignet(t *testing.T) {
	const want = "blocks cannot be found here"
	for network, told := range map[string]bool{"signet": true, "practice": false} {
		g := newGolden()
		g.network = network
		body := open(t, g).get("/connect").body
		checkPage(t, body)
		if strings.Contains(body, want) != told {
			t.Errorf("on %s the page says %q: %t", network, want, !told)
		}
	}
}

// A repair is offered only while the node waits for one, and takes the password.
func TestRepairNode(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	if body := w.get("/node").body; strings.Contains(body, "/node/repair") {
		t.Error("the page offers a repair that nothing needs")
	}
	w.box.node.Repair = true
	body := w.get("/node").body
	checkPage(t, body)
	if !strings.Contains(body, "Repair it now") {
		t.Error("the page does not offer the repair")
	}
	form := url.Values{"password": {password}}
	if resp := w.do(http.MethodPost, "/node/repair", form); resp.StatusCode != http.StatusForbidden {
		t.Errorf("without the form's token: status %d", resp.StatusCode)
	}
	form.Set("token", w.token())
	form.Set("password", "wrong")
	resp := w.do(http.MethodPost, "/node/repair", form)
	checkPage(t, resp.body)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "the password is wrong") || len(w.box.ordered) > 0 {
		t.Errorf("with a wrong password: status %d, %v", resp.StatusCode, w.box.ordered)
	}
	form.Set("password", password)
	if resp := w.do(http.MethodPost, "/node/repair", form); resp.StatusCode != http.StatusSeeOther || !slices.Equal(w.box.ordered, []string{"repair"}) {
		t.Errorf("status %d, %v", resp.StatusCode, w.box.ordered)
	}
}
