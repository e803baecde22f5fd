package webui

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/payout"
)

// A payout above the limit takes two people, who are added on the page: one person
// counts once, from however many browsers, and somebody who is removed in between
// decides nothing any more.
func TestTwoPeopleOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	admin := b.signIn("127.0.4.1")
	admin.keys = 1 // startRealBox has used the first one
	admin.mustDo("/api/payments/config", map[string]any{"rev": 2, "password": password, "settings": map[string]any{"second_person_above_sat": 1}})

	const theirs = "Another horse 8"
	for _, name := range []string{"bert", "carl"} {
		form := url.Values{"name": {name}, "new": {theirs}, "again": {theirs}}
		if status, html := admin.post("/people", form); status != http.StatusSeeOther {
			t.Fatalf("add %s: status %d, %s", name, status, html)
		}
	}
	_, html, _ := admin.send(http.MethodGet, "/people", "", "", nil)
	checkPage(t, html)
	bert, carl := b.signInAs("127.0.4.2", "bert", theirs), b.signInAs("127.0.4.3", "carl", theirs)

	v := b.pending(admin)
	path := fmt.Sprintf("/api/payments/broadcast/%d", v.ID)
	said := func(w *tab, pass string) int {
		w.keys++
		command := yes(v)
		command["password"] = pass
		status, _ := w.command(path, fmt.Sprint("yes ", w.keys), command)
		return status
	}
	state := func() payout.Payout {
		p, err := b.box.Payouts().Get(context.Background(), v.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	if status := said(admin, password); status != http.StatusOK {
		t.Fatalf("the first yes: status %d", status)
	}
	for _, again := range []*tab{admin, b.signInAs("127.0.4.4", "ADMIN", password)} {
		if status := said(again, password); status < 400 {
			t.Errorf("the same person again: status %d", status)
		}
	}
	if p := state(); p.State != payout.Pending || len(p.Approvals) != 1 {
		t.Fatalf("one person counts twice: %s, approvals %+v", p.State, p.Approvals)
	}
	if _, html, _ := bert.send(http.MethodGet, fmt.Sprintf("/payouts/%d", v.ID), "", "", nil); !strings.Contains(html, "yours is the yes that sends it") {
		t.Error("the page does not tell bert that his yes decides")
	}

	people, err := b.box.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		if p.Name != "carl" {
			continue
		}
		if status, html := admin.post(fmt.Sprintf("/people/%d/remove", p.ID), url.Values{"name": {"carl"}}); status != http.StatusSeeOther {
			t.Fatalf("remove carl: status %d, %s", status, html)
		}
	}
	if status := said(carl, theirs); status != http.StatusUnauthorized {
		t.Errorf("carl, who was removed: status %d, want 401", status)
	}

	if status := said(bert, theirs); status != http.StatusOK {
		t.Fatalf("the second person's yes: status %d", status)
	}
	b.eventually("it is sent", func() bool { return state().State == payout.Broadcast })
	if n := b.sends(); n != 1 {
		t.Errorf("%d transactions left the wallet, want 1", n)
	}
	if err := b.box.Ledger().Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Where sending takes a second factor, nobody sends without one, neither on the
// page nor by the API, and the refusal leads to where it is set up.
func TestFactorToSendOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	admin := b.signIn("127.0.5.1")
	admin.keys = 1 // startRealBox has used the first one
	admin.mustDo("/api/payments/config", map[string]any{"rev": 2, "password": password, "settings": map[string]any{"second_factor_to_send": true}})
	v := b.pending(admin)
	if status, answer := admin.command(fmt.Sprintf("/api/payments/broadcast/%d", v.ID), "yes", yes(v)); status != http.StatusForbidden || answer["code"] != codeNeedsFactor {
		t.Errorf("broadcast: status %d, %v", status, answer)
	}
	form := url.Values{"rev": {fmt.Sprint(v.Rev)}, "digest": {v.Digest}, "total": {fmt.Sprint(v.Total)}}
	if status, html := admin.post(fmt.Sprintf("/payouts/%d/approve", v.ID), form); status != http.StatusForbidden || !strings.Contains(html, `href="/sessions#factor"`) {
		t.Errorf("approve: status %d", status)
	}
	if n := b.approvals(v.ID); n != 0 || b.payout(v.ID).State != payout.Pending {
		t.Errorf("%d approvals, %s", n, b.payout(v.ID).State)
	}
	status, answer := admin.command("/api/payments/config", "rule", map[string]any{
		"rev": 3, "password": password, "settings": map[string]any{"auto_approve_below_sat": 5000, "auto_approve_daily_sat": 5000},
	})
	if status != http.StatusForbidden || answer["code"] != codeNeedsFactor {
		t.Errorf("payouts by themselves: status %d, %v", status, answer)
	}
}
