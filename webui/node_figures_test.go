package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
)

// The node page tells what the node said and what was measured, and nothing of what
// is not known.
func TestNodePageTellsFigures(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*nodeView)
		want   []string
		not    []string
	}{
		{"all known", func(*nodeView) {}, []string{
			"(2 called us, we called 8)", `class="mono">main<`, "(a warning comes after 90 min)", "the node tells at once (ZMQ)", "the node (ZMQ)",
			"41.0<span class=\"unit\"> ms", "45.2<span class=\"unit\"> ms", "3 of 15,204 within 60 min", "40.0<span class=\"unit\"> ms", "9.87<span class=\"unit\"> GB",
			"10.0<span class=\"unit\"> GB", "52 days", "24,113, 84.0<span class=\"unit\"> MB", "This is a pre-release test build &lt;script&gt;", "get work",
		}, []string{"None.", "Tested"}},
		{"nothing known", func(v *nodeView) { v.Figures, v.Feed, v.Progress = nodeFigures{}, feedView{}, nil }, []string{"no data"}, []string{
			"called us", "all there are", "a warning comes", "the node tells", "ms</dd>", " within ", "That lasts for", " GB", "None.",
		}},
		{"no warnings", func(v *nodeView) { v.Figures.Says = nil }, []string{"None."}, nil},
		{"asked instead of told", func(v *nodeView) { v.Figures.News = news{Way: "poll"} }, []string{"asked several times a second", "none yet since the start"}, nil},
		{"all blocks, a growth that is not measured", func(v *nodeView) { v.Figures.Pruned, v.Figures.PruneTo, v.Figures.DiskLasts = false, nil, 0 }, []string{"(all there are)"}, []string{"That lasts for", "At most"}},
		{"waiting", func(v *nodeView) { v.Serving, v.Figures.Stratum = false, "waiting" }, []string{"told to wait, so that they do not hash on old work", "wait, connected"}, []string{"three minutes"}},
		{"paused", func(v *nodeView) { v.Serving, v.Figures.Stratum = false, "paused" }, []string{"Stratum is paused", "sent away after three minutes"}, []string{"told to wait"}},
		{"starting", func(v *nodeView) { v.Serving, v.Figures.Stratum = false, "starting" }, []string{"Stratum has not begun"}, nil},
		{"download", func(v *nodeView) { v.Feed.Phase, v.Progress = "ibd", new(0.934) }, []string{`class="big"><span class="whole">93.4`}, nil},
		{"tested in vain", func(v *nodeView) {
			v.Tried = &trialView{At: noon, Problem: "The Bitcoin node does not answer."}
		}, []string{"Tested", "The Bitcoin node does not answer."}, []string{"miners can mine on it", "answers within"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGolden()
			test.change(&g.node)
			w := open(t, g)
			w.signIn()
			body := w.get("/node").body
			checkSays(t, body, test.want, test.not)
			checkPage(t, w.get("/node?lang=zh-Hans").body)
		})
	}
}

// A test of the node takes the form's token, and its outcome is on the page.
func TestTryNode(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	if resp := w.do(http.MethodPost, "/node/test", nil); resp.StatusCode != http.StatusForbidden || w.box.node.Tried != nil {
		t.Errorf("without the form's token: status %d", resp.StatusCode)
	}
	if resp := w.do(http.MethodPost, "/node/test", url.Values{"token": {w.token()}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d", resp.StatusCode)
	}
	body := w.get("/node").body
	checkPage(t, body)
	for _, want := range []string{"Tested", `The node answers within 3<`, "work with 3,120 transactions within 41.7<"} {
		if !strings.Contains(strings.ReplaceAll(body, "3.00<", "3<"), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The API is silent where the page is.
func TestAPINodeWithoutFigures(t *testing.T) {
	g := newGolden()
	g.node.Figures = nodeFigures{Stratum: "starting"}
	w := open(t, g)
	w.signIn()
	v := readJSON(t, w.get("/api/v1/node").body).(map[string]any)
	for _, key := range []string{"chain", "node_warnings", "peers_in", "peers_out", "tip_time", "template_fees_sats", "rpc", "mempool"} {
		if v[key] != nil {
			t.Errorf("%s is %v", key, v[key])
		}
	}
	for key, value := range v["disk"].(map[string]any) {
		if value != nil {
			t.Errorf("disk.%s is %v", key, value)
		}
	}
}

// What nobody told is nil in the view.
func TestFiguresOf(t *testing.T) {
	status := pool.Status{TemplateAt: noon, TemplateFees: 7, Serving: true, Notice: pool.Notice{First: "long poll", Ready: time.Second}}
	empty := figuresOf(appliance.NodeStatus{Peers: 0}, appliance.Sounding{}, rpcOf(appliance.RPCStatus{}))
	empty.addStatus(false, pool.Status{})
	if empty.Stratum != "starting" || empty.Asked || empty.PeersIn != nil || empty.RPC != nil || empty.Mempool != nil || empty.Blocks != nil ||
		empty.DiskFree != nil || empty.Fees != nil || empty.News != (news{}) {
		t.Errorf("nothing is known, but %+v", empty)
	}
	lasts := time.Duration(0)
	full := figuresOf(appliance.NodeStatus{Asked: true, Peers: 10, PeersIn: 2, DiskTotal: new(int64(100)), DiskFree: new(int64(0))},
		appliance.Sounding{Mempool: &appliance.Mempool{}, DiskLasts: &lasts, FeeRates: []appliance.FeeRate{{Blocks: 2, Rate: "10.000"}, {Blocks: 6, Rate: "4.120"}, {Blocks: 144, Rate: "20"}}},
		rpcOf(appliance.RPCStatus{Timing: node.Timing{Calls: 5, Median: time.Millisecond}, Calls: 3}))
	full.addStatus(true, status)
	if *full.PeersIn != 2 || *full.PeersOut != 8 || *full.Blocks != 0 || full.PruneTo != nil || *full.DiskFree != 0 || full.DiskLasts == 0 || *full.Fees != 7 ||
		full.Mempool.Txs != 0 || full.RPC.Calls != 3 || full.News.First != "long-poll" || full.News.Way != "poll" || *full.News.Ready != 1 || full.News.Sent != nil {
		t.Errorf("%+v", full)
	}
	if want := []feeLine{{2, "10"}, {6, "4.12"}, {144, "20"}}; !slices.Equal(full.FeeRates, want) {
		t.Errorf("fee rates %v", full.FeeRates)
	}
	for _, test := range []struct {
		there  bool
		status pool.Status
		want   string
	}{
		{false, pool.Status{}, "starting"},
		{true, pool.Status{Serving: true, TemplateAt: noon}, "open"},
		{true, pool.Status{Reason: "x"}, "waiting"},
		{true, pool.Status{Reason: "x", Idle: true, TemplateAt: noon}, "waiting"},
		{true, pool.Status{Reason: "x", TemplateAt: noon}, "paused"},
	} {
		if got := stratumOf(test.there, test.status); got != test.want {
			t.Errorf("%+v: %s, want %s", test.status, got, test.want)
		}
	}
}

// What came of a test is shown for a while only.
func TestTrialEnds(t *testing.T) {
	trial := lastTrial{last: trialOf(appliance.NodeTrial{At: noon, Answer: time.Second})}
	if v := trial.get(noon.Add(trialFor)); v == nil || *v.Answer != 1 || v.Template != nil {
		t.Errorf("%+v", v)
	}
	if v := trial.get(noon.Add(trialFor + 1)); v != nil {
		t.Errorf("still there: %+v", v)
	}
}
