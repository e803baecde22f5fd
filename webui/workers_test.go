package webui

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// crowded is a box where somebody made up names by the thousand: the busiest
// and the one with the best share are the last ones by name.
func crowded(n int) *golden {
	g := newGolden()
	var lines []workerLine
	for i := range n {
		lines = append(lines, workerLine{
			Address: aliceAddress, Name: fmt.Sprintf("rig%05d", i), Status: "online",
			Rates: rates{H1: new(0.0)}, LastShare: noon.Add(time.Duration(i-n) * time.Second),
		})
	}
	lines[n-1].Rates.H1, lines[n-2].Best.Ever = new(95e12), new(1e15)
	lines[n-2].LastShare = noon.Add(-1000 * time.Hour)
	g.workers, g.observer.Workers = lines, lines
	g.dashboard.Online = n
	return g
}

// listed are the names of the workers on a page, in their order.
func listed(body string) (names []string) {
	for part := range strings.SplitSeq(body, "<bdi>rig") {
		names = append(names, "rig"+part[:min(5, len(part))])
	}
	return names[1:]
}

// The list of workers has pages; lists of others stay short, keep those that
// matter, and say how many they left out.
func TestWorkerListsAreBounded(t *testing.T) {
	const n = 3000
	w := open(t, crowded(n))
	w.signIn()
	for path, want := range map[string]string{
		"/workers":                        "rig02999",
		"/workers?sort=nonsense":          "rig02999",
		"/workers?sort=last":              "rig02999",
		"/workers?sort=best":              "rig02998",
		"/workers?sort=name":              "rig00000",
		"/workers?sort=name&dir=down":     "rig02999",
		"/workers?sort=name&page=2":       "rig00050",
		"/workers?sort=name&page=60":      "rig02950",
		"/workers?sort=name&page=9999999": "rig02950",
		"/workers?sort=name&page=-7":      "rig00000",
	} {
		body := w.get(path).body
		checkPage(t, body)
		if got := listed(body); len(got) != pageOfWorkers || got[0] != want {
			t.Errorf("%s lists %d workers from %s on, want %s", path, len(got), got[0], want)
		}
		if !strings.Contains(body, "3,000 workers.") || !strings.Contains(body, "of 60.") {
			t.Errorf("%s does not say how many there are", path)
		}
	}
	if got := listed(w.get("/workers?q=rig00007").body); !slices.Equal(got, []string{"rig00007"}) {
		t.Errorf("search finds %v", got)
	}
	body := w.get("/observer/" + aliceAddress).body
	if got := strings.Count(body, "rig0"); got < maxLines || !strings.Contains(body, "and 2,800 more") || !strings.Contains(body, "rig02999") || strings.Contains(body, "rig02998") {
		t.Errorf("the observer page has %d workers", got)
	}
	v := decode(t, w.get("/api/observer/"+aliceAddress).body)
	if got, _ := v["workers"].([]any); len(got) != maxLines || v["total_workers"] != float64(n) {
		t.Errorf("API: %d workers of %v", len(got), v["total_workers"])
	}
}

// Every heading sorts, both ways, and says so; filters and the search keep what
// else was asked for.
func TestWorkerOrders(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, by := range rankings() {
		up, down := w.get("/workers?sort="+by.Name+"&dir=up").body, w.get("/workers?sort="+by.Name+"&dir=down").body
		checkPage(t, up)
		first := func(body string) string {
			_, body, _ = strings.Cut(body, "<tbody>")
			return body[:400]
		}
		if first(up) == first(down) {
			t.Errorf("%s sorts one way only", by.Name)
		}
	}
	body := w.get("/workers?q=cgminer&status=online&sort=best").body
	for _, want := range []string{
		`<a href="?dir=up&amp;q=cgminer&amp;sort=best&amp;status=online">`, `<a href="?dir=down&amp;q=cgminer&amp;sort=m10&amp;status=online">`,
		`aria-sort="descending"`, `href="/workers.csv?q=cgminer&amp;sort=best&amp;status=online"`, "1 worker.",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	if body := w.get("/workers?status=banned").body; !strings.Contains(body, "No worker matches") || !strings.Contains(body, "banned (0)") {
		t.Error("nobody is banned, and somebody is listed")
	}
}

// The file has the rows of the page, all of them, and no formulas.
func TestWorkersCSV(t *testing.T) {
	g := newGolden()
	g.workers[3].Name, g.workers[3].Label, g.workers[3].UserAgent = "=1+1", "@SUM(A1)", "-2"
	w := open(t, g)
	w.signIn()
	resp := w.get("/workers.csv?sort=name")
	rows, err := csv.NewReader(strings.NewReader(resp.body)).ReadAll()
	if err != nil || len(rows) != 5 || len(rows[0]) != len(rows[1]) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("%s begins with a formula: %s", rows[0][i], cell)
			}
		}
	}
	if got := w.get("/workers.csv?q=bitaxe&status=online"); strings.Count(got.body, "\r\n") != 2 || !strings.Contains(got.body, "stale 9, low-difficulty 3") {
		t.Errorf("filtered: %s", got.body)
	}
}

// A worker of any name has a page at its own path.
func TestWorkerPaths(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	names := []string{"", ".", "..", "a/b", "/", "@x", "%2F", "a b", "rig?x=1#y", hostile, rtl, strings.Repeat("x", 1024), "é矿"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.SampledFrom(names), rapid.String()).Draw(t, "name")
		if strings.ContainsRune(name, 0xfffd) {
			return
		}
		g.setWorkers([]workerLine{{Address: aliceAddress, Name: name, Status: "online"}})
		if got := w.get(workerPath(aliceAddress, name)); got.StatusCode != http.StatusOK {
			t.Fatalf("%q: status %d at %s", name, got.StatusCode, workerPath(aliceAddress, name))
		}
	})
	g.setWorkers(nil)
	for _, path := range []string{"/workers/x/y", workerPath(aliceAddress, "gone"), "/workers/" + aliceAddress + "/@!"} {
		if got := w.get(path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, got.StatusCode)
		}
	}
}

// What strangers and operators write stays text, in both languages, on every page
// about miners: markup, marks that turn the direction, and a kilobyte of it.
func TestMinersTextIsText(t *testing.T) {
	for _, text := range []string{hostile, `"><img src=x onerror=alert(1)>`, rtl + hostile, strings.Repeat("&<\"'", 256)} {
		g := newGolden()
		for i := range g.workers {
			l := &g.workers[i]
			l.Name, l.Label, l.Account, l.UserAgent, l.Banned, l.Tags = text, text, text, text, text, []string{text}
			l.Status, l.Reasons = "banned", []reasonLine{{text, 3}}
		}
		g.bans = []banLine{{banned: banned{Address: aliceAddress, Worker: text}, Reason: text, Actor: "admin"}}
		g.observer.Workers, g.shares[0].Worker, g.observer.Reasons = g.workers, text, g.workers[0].Reasons
		w := open(t, g)
		w.signIn()
		for _, lang := range languages() {
			for _, path := range []string{"/workers", workerPath(aliceAddress, text), "/bans", "/observer/" + aliceAddress, "/o/" + linkToken, "/connect", "/accounts/" + bobAddress} {
				resp := w.get(path + "?lang=" + lang.Tag)
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: status %d", path, resp.StatusCode)
				}
				checkPage(t, resp.body)
				if strings.Count(resp.body, "<script") != 1 || strings.Contains(resp.body, "<img src=x") {
					t.Errorf("%s holds markup of a stranger", path)
				}
			}
		}
	}
}

func TestMarkWorker(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	path := workerPath(bobAddress, "s19")
	form := url.Values{"token": {w.token()}, "label": {" Loft "}, "tags": {"loud hot"}}
	if resp := w.do(http.MethodPost, path, form); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != path+"?saved" {
		t.Fatalf("status %d, %s", resp.StatusCode, resp.body)
	}
	marks, _ := w.box.Marks(t.Context(), bobAddress)
	if got := marks[len(marks)-1]; got.Worker != "s19" || strings.TrimSpace(got.Label) != "Loft" || !slices.Equal(got.Tags, []string{"loud", "hot"}) {
		t.Errorf("marked as %+v", got)
	}
	form.Set("label", strings.Repeat("x", 60))
	resp := w.do(http.MethodPost, path, form)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "at most 40 characters") {
		t.Errorf("a long label: status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)
}

// The form of the page bans what is chosen in it, and nothing else that is typed.
func TestBanAndLift(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	form := url.Values{"token": {w.token()}, "address": {aliceAddress}, "worker": {"rig"}, "network": {"10.0.0.7"}, "reason": {"why"}}
	for whom, want := range map[string]banned{
		"address": {Address: aliceAddress}, "worker": {Address: aliceAddress, Worker: "rig"}, "network": {Network: "10.0.0.7"},
	} {
		form.Set("whom", whom)
		if resp := w.do(http.MethodPost, "/bans", form); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: status %d", whom, resp.StatusCode)
		}
		if got := w.box.orders[len(w.box.orders)-1]; got.banned != want || got.Reason != "why" || got.Operator.Name != "admin" || got.IP == "" {
			t.Errorf("%s: ordered %+v", whom, got)
		}
	}
	form.Set("reason", " ")
	resp := w.do(http.MethodPost, "/bans", form)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "needs a reason") {
		t.Errorf("without a reason: status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)

	lift := url.Values{"token": form["token"], "network": {"203.0.113.0/24"}}
	for _, want := range []int{http.StatusSeeOther, http.StatusNotFound} {
		if resp := w.do(http.MethodPost, "/bans/lift", lift); resp.StatusCode != want {
			t.Errorf("lift: status %d, want %d", resp.StatusCode, want)
		}
	}
}
