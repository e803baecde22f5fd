package webui

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ASVS 16.2: who, what, when in UTC, from where, and what came out.
func TestAuditPage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/audit").body
	checkPage(t, page)
	for _, want := range []string{
		"Chain verified to entry 7", "2026-11-22 11:59:07", "Approve a payout", `href="/payouts/42"`, "192.168.1.77", "12 times since",
		"a1b2c3", "0 → 100", "something.new", "&lt;script&gt;", `href="/audit.csv"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, `method="post" action="/audit`) {
		t.Error("text of a stranger is markup, or something can be done to the log")
	}
	if filtered := w.get("/audit?action=login&actor=admin").body; strings.Contains(filtered, "pay:42") || !strings.Contains(filtered, `<option value="login" selected>`) ||
		!strings.Contains(filtered, `/audit.csv?action=login&amp;actor=admin`) {
		t.Error("the filter is not in force, not in the form, or not in the export")
	}
	for _, bad := range []string{"?from=yesterday", "?before=x", "?result=maybe"} {
		if resp := w.get("/audit" + bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, resp.StatusCode)
		}
	}
	w.box.safe.proof = auditProof{To: 3, Broken: 4}
	if page := w.get("/audit").body; !strings.Contains(page, "Entry 4 is not as it was written") || strings.Contains(page, "Chain verified") {
		t.Error("a broken chain is not told")
	}
}

func TestAuditPages(t *testing.T) {
	g := newGolden()
	g.safe.audit = nil
	for i := int64(250); i > 0; i-- {
		g.safe.audit = append(g.safe.audit, auditLine{Seq: i, At: noon.Add(-time.Duration(i) * time.Hour), Actor: "admin", Action: "login", Result: "ok", Fine: true, Times: 1})
	}
	w := open(t, g)
	w.signIn()
	next, pages := "/audit?actor=admin", 0
	for next != "" {
		body := w.get(next).body
		pages++
		_, link, ok := strings.Cut(body, `<a class="button" href="/audit?`)
		if next = ""; ok {
			link, _, _ = strings.Cut(link, `"`)
			next = "/audit?" + strings.ReplaceAll(link, "&amp;", "&")
			if !strings.Contains(next, "actor=admin") {
				t.Errorf("the filter is lost: %s", next)
			}
		}
	}
	if pages != 3 {
		t.Errorf("%d pages of 100, want 3", pages)
	}
}

// ASVS 1.2.10: an export starts no formula, and is an entry itself.
func TestAuditExport(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	resp := w.get("/audit.csv")
	rows, err := csv.NewReader(strings.NewReader(resp.body)).ReadAll()
	if err != nil || len(rows) != 8 || !strings.Contains(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d rows, %v, %v", len(rows), err, resp.Header)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("cell %q", cell)
			}
		}
	}
	if got := strings.Join(rows[2], "|"); got != "6|2026-11-22T11:00:07Z|unknown|login||wrong name or password|192.168.1.77||11|" {
		t.Errorf("row %q", got)
	}
	lines := strings.Split(strings.TrimSpace(w.get("/audit.jsonl?action=settings").body), "\n")
	var row auditRow
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil || len(lines) != 1 || row.Detail["fee_bps"] != "0 → 100" || row.Session != "a1b2c3" {
		t.Errorf("%v, %+v", err, row)
	}
	if got := strings.Join(w.box.safe.notes, ", "); got != "audit.export csv, audit.export jsonl" {
		t.Errorf("noted %s", got)
	}
}

// What the log can hold has words in every language, and not only a code.
func TestAuditActionsHaveWords(t *testing.T) {
	written := regexp.MustCompile(`(?:Action: +|action: |action :?= |deed\(|noting\(r, who, |Note\(r\.Context\(\), who\.Operator, |m\.inVain\(ctx, [a-zA-Z.]+, |` +
		`correct\(ctx, (?:l, "[a-z ]+", )?|checkCode\(ctx, op, [a-z]+, |refuse\(ctx, |finish\(ctx, )"([a-z]+(?:\.[a-z-]+){0,2})"`)
	view := auditView{}
	actions := map[string]bool{"core.get.done": true, "core.upload.done": true} // put together in the code
	for _, m := range written.FindAllStringSubmatch(belowSources(t), -1) {
		actions[m[1]] = true
	}
	for action := range actions {
		if !inEnglish.has("audit.action." + view.Word(action)) {
			t.Errorf("the action %s has no words", action)
		}
	}
	for _, action := range []string{"payout.cancel", "payout.sweep", "payout.take-back", "books.surplus", "core.upload", "reauthenticate", "network"} {
		if !actions[action] {
			t.Errorf("the action %s was not found in the code", action)
		}
	}
	if len(actions) < 50 {
		t.Errorf("found only %d actions in the code", len(actions))
	}
}
