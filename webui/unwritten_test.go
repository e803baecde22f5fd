package webui

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/payout"
)

const wordsOfUnwritten = "could not be written to the audit log"

// What nobody would know of is not done: it is answered with a sentence and a
// reference, on the pages, to programs, and in Chinese.
func TestUnwrittenIsNotDone(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.safe.full = true
	form := url.Values{"token": {w.token()}, "name": {"display"}, "password": {password}}
	for name, resp := range map[string]answer{
		"export": w.get("/audit.csv"),
		"lines":  w.get("/audit.jsonl"),
		"token":  w.do(http.MethodPost, "/tokens", form),
		"others": w.get("/api/audit/export"),
	} {
		if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(resp.body, wordsOfUnwritten) || strings.Contains(resp.body, "pay:42") {
			t.Errorf("%s: status %d, %s", name, resp.StatusCode, resp.body)
		}
	}
	if tokens, err := w.site.tokens.list(t.Context(), operator{ID: 1}); err != nil || len(tokens) != 0 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	if said := wordsOf(chinese).say(detailText(t, unwritten(nil))); strings.Contains(string(said), "lang=") {
		t.Errorf("in Chinese: %s", said)
	}
	if resp := w.do(http.MethodPost, "/logout", form); resp.StatusCode != http.StatusSeeOther || w.get("/").StatusCode != http.StatusSeeOther {
		t.Error("there is no way out")
	}
}

func detailText(t *testing.T, err error) string {
	t.Helper()
	p, ok := errors.AsType[*problem](err)
	if !ok {
		t.Fatal(err)
	}
	return p.Detail
}

// A decision about money and its line in the audit log are one transaction: on the
// page and in the API there are both or neither, on a real node.
func TestUnwrittenOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	w := b.signIn("127.0.5.1")
	change := func(query string) {
		t.Helper()
		err := b.box.DB().Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), query); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	entries := func() (list []string) {
		t.Helper()
		all, err := b.box.AuditLog(context.Background(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if strings.HasPrefix(e.Action, "payout.") {
				list = append([]string{e.Action + " " + e.Result}, list...)
			}
		}
		return list
	}
	const full = `CREATE TRIGGER audit_full BEFORE INSERT ON audit WHEN NEW.action LIKE 'payout.%' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`
	const room = `DROP TRIGGER audit_full`

	change(full)
	if status, v := w.command("/api/payments/create", "full", nil); status != http.StatusInternalServerError || !strings.Contains(fmt.Sprint(v["detail"]), wordsOfUnwritten) {
		t.Errorf("create: status %d, %v", status, v)
	}
	if all, err := b.box.Payouts().List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("payouts %+v, %v", all, err)
	}
	change(room)
	v := b.pending(w)
	page := fmt.Sprintf("/payouts/%d", v.ID)
	yesForm := url.Values{"rev": {fmt.Sprint(v.Rev)}, "digest": {v.Digest}, "total": {fmt.Sprint(v.Total)}}

	change(full)
	for path, form := range map[string]url.Values{page + "/approve": yesForm, page + "/cancel": {"rev": {fmt.Sprint(v.Rev)}}} {
		status, html := w.post(path, form)
		if status != http.StatusInternalServerError || !strings.Contains(html, wordsOfUnwritten) {
			t.Errorf("%s: status %d, %s", path, status, html)
		}
		checkPage(t, html)
	}
	if p := b.payout(v.ID); p.State != payout.Pending || p.Rev != v.Rev || len(p.Approvals) != 0 {
		t.Errorf("done all the same: %+v", p)
	}
	change(room)
	if got := entries(); len(got) != 1 || got[0] != "payout.draft ok" {
		t.Errorf("entries %q", got)
	}

	if status, html := w.post(page+"/approve", yesForm); status != http.StatusSeeOther {
		t.Fatalf("approve: status %d, %s", status, html)
	}
	b.eventually("it is sent", func() bool { return b.payout(v.ID).State == payout.Broadcast })
	if status, _ := w.post(page+"/approve", yesForm); status != http.StatusConflict {
		t.Errorf("approve again: status %d", status)
	}
	if got := entries(); len(got) != 2 || got[1] != "payout.approve ok" {
		t.Errorf("entries %q", got)
	}
}
