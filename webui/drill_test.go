package webui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/drill"
)

func TestDrillPage(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	page := w.get("/drill").body
	for _, want := range []string{"Begin the fire drill", `href="/drill/20261122T110007Z"`, "3 of 3", "6.5 s", "A share is accepted and written down", "DMPool 1.2.0, Bitcoin Core 31.1.0"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if r := w.do(http.MethodPost, "/drill", url.Values{"token": {w.token()}}); r.StatusCode != http.StatusSeeOther || g.begun != 1 {
		t.Errorf("begin: %d, %d drills", r.StatusCode, g.begun)
	}
	g.unfit = refused("A fire drill runs already; wait for its end.")
	if r := w.do(http.MethodPost, "/drill", url.Values{"token": {w.token()}}); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, "A fire drill runs already") {
		t.Errorf("begin another: %d", r.StatusCode)
	}

	drilling(g)
	page = w.get("/drill").body
	if strings.Contains(page, "Begin the fire drill") || !strings.Contains(page, "A drill runs: 1 of 3 steps are done.") || !strings.Contains(page, "running") {
		t.Error("while one runs the page does not say so, or offers another")
	}
	g.drills.Now = nil
	if page = w.get("/drill").body; !strings.Contains(page, "The drill is about to begin.") {
		t.Error("before the first step the page does not say so")
	}
	g.drills.Busy, g.drills.Last, g.drills.Problem = false, nil, "The fire drill did not begin, or left no report: there is no room."
	if page = w.get("/drill").body; !strings.Contains(page, "did not begin") || !strings.Contains(page, "There has been no drill yet.") {
		t.Error("the page does not tell why there is no report")
	}
}

func TestDrillReport(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/drill/20261121T080000Z").body
	for _, want := range []string{"It failed at this step: A share is accepted", "Look at the free space of the disk.", "not run", "/var/lib/dmpool/drills/kept-", "The last warnings in its log"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(page, hostile) {
		t.Error("the report holds markup that is not ours")
	}
	text := w.get("/drill/file/20261121T080000Z.txt")
	if got := text.Header.Get("Content-Disposition"); got != `attachment; filename="dmpool-drill-20261121T080000Z.txt"` || !strings.Contains(text.body, "FAILED at the step") {
		t.Errorf("as text: %q, %s", got, text.body)
	}
	var r drill.Report
	if err := json.Unmarshal([]byte(w.get("/drill/file/20261122T110007Z.json").body), &r); err != nil || r.Verdict != drill.Passed || len(r.Steps) != 3 {
		t.Errorf("as JSON: %v, %+v", err, r)
	}
	for _, path := range []string{"/drill/20200101T000000Z", "/drill/file/20200101T000000Z.txt", "/drill/file/20261122T110007Z.html", "/drill/file/20261122T110007Z"} {
		if r := w.get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestDrillAPI(t *testing.T) {
	w := open(t, drilling(newGolden()))
	w.signIn()
	list := decode(t, w.get("/api/v1/drills").body)
	items, _ := list["items"].([]any)
	if len(items) != 3 || items[0].(map[string]any)["verdict"] != drill.Running || items[2].(map[string]any)["verdict"] != drill.Failed {
		t.Errorf("%+v", list)
	}
	for range 2 { // the same key is the same request
		if r := w.command("/api/v1/drills", "key", map[string]any{}); r.StatusCode != http.StatusAccepted || w.box.begun != 1 {
			t.Errorf("%d, %d drills: %s", r.StatusCode, w.box.begun, r.body)
		}
	}
	w.box.unfit = refused("A fire drill runs already; wait for its end.")
	if r := w.command("/api/v1/drills", "another", map[string]any{}); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("beside one that runs: %d", r.StatusCode)
	}
}
