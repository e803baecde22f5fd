package webui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tagRE   = regexp.MustCompile(`(?s)<!--.*?-->|<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s=>"'/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*)\s*(/?)>`)
	attrRE  = regexp.MustCompile(`([^\s=>"'/]+)(?:\s*=\s*"([^"]*)")?`)
	strayRE = regexp.MustCompile(`<[a-zA-Z/]`)
	voids   = []string{"meta", "link", "input", "img", "br", "hr", "path", "circle", "rect"}
)

// element is a start tag.
type element struct {
	name  string
	attrs map[string]string
}

// parseHTML checks that tags nest and that everything that looks like a tag is
// one, and returns the start tags in order.
func parseHTML(t *testing.T, html string) []element {
	t.Helper()
	var stack []string
	var all []element
	rest := tagRE.ReplaceAllStringFunc(html, func(tag string) string {
		m := tagRE.FindStringSubmatch(tag)
		name := strings.ToLower(m[2])
		switch {
		case name == "": // comment
		case m[1] == "/":
			if len(stack) == 0 || stack[len(stack)-1] != name {
				t.Errorf("</%s> closes %v", name, stack)
				return ""
			}
			stack = stack[:len(stack)-1]
		default:
			e := element{name: name, attrs: map[string]string{}}
			for _, a := range attrRE.FindAllStringSubmatch(m[3], -1) {
				if _, twice := e.attrs[a[1]]; twice {
					t.Errorf("<%s> has %s twice", name, a[1])
				}
				e.attrs[a[1]] = a[2]
			}
			all = append(all, e)
			if !slices.Contains(voids, name) {
				stack = append(stack, name)
			}
		}
		return ""
	})
	if len(stack) > 0 {
		t.Errorf("not closed: %v", stack)
	}
	if stray := strayRE.FindString(strings.TrimPrefix(rest, "<!doctype html>")); stray != "" {
		t.Errorf("text contains %q, which is no tag", stray)
	}
	return all
}

// checkSays reads a page that is in order, says all of want and nothing of not.
func checkSays(t *testing.T, page string, want, not []string) {
	t.Helper()
	checkPage(t, page)
	for _, part := range want {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	for _, part := range not {
		if strings.Contains(page, part) {
			t.Errorf("the page says %q", part)
		}
	}
}

// checkPage holds a page to the rules that every page obeys.
func checkPage(t *testing.T, html string) {
	t.Helper()
	all := parseHTML(t, html)
	ids, labels := map[string]bool{}, map[string]bool{}
	count := map[string]int{}
	for _, e := range all {
		count[e.name]++
		if id := e.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("id %q is used twice", id)
			}
			ids[id] = true
		}
		if e.name == "label" {
			labels[e.attrs["for"]] = true
		}
	}
	for _, e := range all {
		checkElement(t, e, ids, labels)
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] < 1 {
		t.Errorf("page has %d h1, %d main, %d title", count["h1"], count["main"], count["title"])
	}
}

// goldenExplorer is the block explorer of tests that name one.
const goldenExplorer = "https://explorer.example/x/"

// overTLSHere is a link to the golden box over TLS.
var overTLSHere = regexp.MustCompile(`^https://(127\.0\.0\.1|192\.168\.1\.50):8443(/|$)`)

func checkElement(t *testing.T, e element, ids, labels map[string]bool) {
	t.Helper()
	for name, value := range e.attrs {
		if name == "style" || strings.HasPrefix(name, "on") {
			t.Errorf("<%s> has the attribute %s", e.name, name)
		}
		if name == "href" && e.name == "a" && (strings.HasPrefix(value, sourceURL) || strings.HasPrefix(value, goldenExplorer)) && e.attrs["rel"] == "noreferrer noopener" {
			continue // a plain link that leaves this host
		}
		if name == "href" && e.name == "a" && overTLSHere.MatchString(value) {
			continue // the same box, encrypted
		}
		if (name == "href" || name == "src" || name == "action") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "?") && !strings.HasPrefix(value, "#") ||
			strings.HasPrefix(value, "//") {
			t.Errorf("<%s %s=%q> leaves this host", e.name, name, value)
		}
		for id := range strings.FieldsSeq(value) {
			if (name == "aria-labelledby" || name == "aria-describedby" || name == "for") && !ids[id] {
				t.Errorf("<%s %s=%q> names no element", e.name, name, value)
			}
		}
	}
	switch e.name {
	case "script":
		if e.attrs["src"] == "" {
			t.Error("inline script")
		}
	case "style":
		t.Error("inline style sheet")
	case "input", "select":
		if e.attrs["type"] != "hidden" && !labels[e.attrs["id"]] {
			t.Errorf("input %q has no label", e.attrs["name"])
		}
	case "img":
		if _, ok := e.attrs["alt"]; !ok {
			t.Error("image without alt")
		}
	case "form":
		if m := e.attrs["method"]; m != "post" && m != "get" {
			t.Errorf("form with method %q", m)
		}
	case "progress":
		if e.attrs["aria-label"] == "" {
			t.Error("progress bar without a name")
		}
	}
}

// Every page, with data and in its first minute, is well-formed, labelled, and
// stays on this host.
func TestPagesAreSound(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		g := newGolden()
		if fresh {
			g.empty()
		}
		w := open(t, g)
		paths := []string{"/login", "/login?out", "/observer", "/observer?address=x", "/observer/" + aliceAddress, "/observer/" + newAddress, "/observer/x", "/o/" + linkToken, "/o/x", "/observer/" + aliceAddress + "?range=30d&from=50", "/connect", "/help", "/nowhere", "/observer/" + aliceAddress + "/blocks/" + g.block.Hash, "/observer/" + aliceAddress + "/payouts/40", "/observer/" + aliceAddress + "/why", "/o/" + linkToken + "/why"}
		for _, path := range paths {
			t.Run(fmt.Sprintf("stranger fresh=%v %s", fresh, path), func(t *testing.T) { checkPage(t, w.get(path).body) })
		}
		w.signIn()
		paths = append(paths[2:], "/", "/?range=7d", "/workers", "/workers?q=nothing", workerPath(aliceAddress, "bitaxe1"), workerPath(aliceAddress, "bitaxe1")+"?range=30d", workerPath(bobAddress, "")+"?saved", "/bans", "/bans?done=lift&network=10.0.0.1", linksPath(aliceAddress), linksPath(newAddress)+"?done=name", "/workers?sort=best&status=online", "/blocks", "/blocks/"+g.block.Hash, "/blocks/x",
			"/payouts", "/payouts?tab=owed", "/payouts?tab=sending", "/payouts?tab=sent", "/payouts?tab=problems", "/payouts/42", "/payouts/7", "/node", "/jobs", "/settings", "/settings?saved", "/accounts/"+bobAddress, "/accounts/"+newAddress+"?saved", "/accounts/x", "/books", "/books?waits", "/people", "/people?done=add", "/people?done=remove", "/people?done=password")
		paths = append(paths, "/sessions", "/sessions?done=end", "/sessions?done=revoke", "/audit", "/audit?result=failed&from=2026-11-01&to=2026-11-22&actor=admin")
		paths = append(paths, "/alerts", "/alerts?done=yes&type=ledger_frozen&level=critical", "/alerts/channels", "/alerts/channels?done=policy", "/alerts/channels/42?done=test", "/alerts/channels/43?done=set", "/alerts/channels/44", "/alerts/channels/45",
			"/alerts/channels/new?kind=webhook", "/alerts/channels/new?kind=smtp", "/alerts/rules", "/alerts/rules?done=set", "/alerts/rules/node_peers", "/alerts/rules/own-1", "/alerts/rules/new?type=hashrate_below", "/alerts/rules/new?type=no_block")
		paths = append(paths, "/devices", "/devices?done=add", "/devices?done=forget", "/devices/3", "/devices/3?done=set-restarts", "/devices/7")
		paths = append(paths, "/health", "/monitoring", "/logs", "/logs?level=error", "/about", "/jobs?job=upkeep")
		for _, path := range paths {
			t.Run(fmt.Sprintf("operator fresh=%v %s", fresh, path), func(t *testing.T) { checkPage(t, w.get(path).body) })
		}
	}
}

// Each state of blocks and payouts has words of its own.
func TestStatesHaveWords(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, state := range []string{"draft", "pending", "approved", "signed", "broadcast", "confirmed", "settled", "cancelling", "cancelled", "expired", "failed"} {
		w.box.payout.State = state
		w.box.payout.Can = payoutCan{Approve: state == "pending", Cancel: state == "draft" || state == "pending" || state == "approved"}
		w.box.payout.Inputs = nil
		page := w.get("/payouts/42")
		checkPage(t, page.body)
		if got, want := strings.Contains(page.body, "/payouts/42/approve"), state == "pending"; got != want {
			t.Errorf("payout %s can be approved: %v", state, got)
		}
		if got, want := strings.Contains(page.body, "/payouts/42/cancel"), state == "draft" || state == "pending" || state == "approved"; got != want {
			t.Errorf("payout %s can be cancelled: %v", state, got)
		}
	}
	for _, state := range []string{"found", "unknown", "accepted", "mature", "orphaned", "stale", "rejected"} {
		w.box.block.State = state
		checkPage(t, w.get("/blocks/"+w.box.block.Hash).body)
	}
}

// What strangers send (worker names, user agents, log lines) is text and stays text.
func TestHostileTextIsText(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, path := range []string{"/", "/workers", "/blocks", "/payouts", "/node", "/connect", "/observer/" + aliceAddress, "/workers?q=" + strings.ReplaceAll(hostile, " ", "+"), "/observer?address=%3Cscript%3Ealert(%22x%22)%3C/script%3E"} {
		body := w.get(path).body
		if strings.Contains(body, "<script>") {
			t.Errorf("%s contains a script of a stranger", path)
		}
		if n := strings.Count(body, "<script"); n != 1 {
			t.Errorf("%s has %d scripts, want ours alone", path, n)
		}
	}
	if body := w.get("/workers").body; !strings.Contains(body, "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") {
		t.Error("the worker with the hostile name is not listed by its name")
	}
}

// Nothing that is not known is shown as a number.
func TestUnknownIsNotZero(t *testing.T) {
	w := open(t, newGolden().empty())
	w.signIn()
	body := w.get("/").body
	if n := strings.Count(body, "no data"); n < 12 {
		t.Errorf("dashboard of an empty pool says “no data” %d times, want at least 12", n)
	}
	if strings.Contains(body, "0 H/s") || strings.Contains(body, "0<span class=\"unit\"> sats") {
		t.Error("dashboard of an empty pool shows a zero that nobody measured")
	}
}
