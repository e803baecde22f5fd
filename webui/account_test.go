package webui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAccountRule(t *testing.T) {
	for name, tc := range map[string]struct {
		change url.Values
		status int
		want   accountRule
	}{
		"as it is":            {nil, http.StatusSeeOther, accountRule{MinPayout: 1_000_000, Hold: true}},
		"off hold":            {url.Values{"hold": nil}, http.StatusSeeOther, accountRule{MinPayout: 1_000_000}},
		"the pool's minimum":  {url.Values{"min": {""}}, http.StatusSeeOther, accountRule{Hold: true}},
		"another minimum":     {url.Values{"min": {"2 500 000"}}, http.StatusSeeOther, accountRule{MinPayout: 2_500_000, Hold: true}},
		"bitcoin, not sats":   {url.Values{"min": {"0.01"}}, http.StatusUnprocessableEntity, accountRule{}},
		"a wrong password":    {url.Values{"password": {"guess"}}, http.StatusUnprocessableEntity, accountRule{}},
		"no password":         {url.Values{"password": nil}, http.StatusUnprocessableEntity, accountRule{}},
		"changed meanwhile":   {url.Values{"seen": {"0 false"}}, http.StatusConflict, accountRule{}},
		"from no form at all": {url.Values{"seen": nil}, http.StatusConflict, accountRule{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			form := inputs(t, w.get("/accounts/"+newAddress).body)
			form.Set("password", password)
			for key, value := range tc.change {
				form[key] = value
			}
			resp := w.do(http.MethodPost, "/accounts/"+newAddress, form)
			if resp.StatusCode != tc.status || len(w.box.ruled) != btoi(tc.status == http.StatusSeeOther) {
				t.Fatalf("status %d, want %d; %d rules", resp.StatusCode, tc.status, len(w.box.ruled))
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			got := w.box.ruled[0]
			if got.MinPayout != tc.want.MinPayout || got.Hold != tc.want.Hold || got.Address != newAddress || got.Operator.Name != "admin" {
				t.Errorf("rule %+v, want %+v", got, tc.want)
			}
		})
	}
	w := open(t, newGolden())
	w.signIn()
	if resp := w.get("/accounts/tb1" + strings.Repeat("q", 40)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an account without a block: status %d", resp.StatusCode)
	}
}

// Where two people have to agree, the one who did is told so and cannot again.
func TestApprovalByTwoPeople(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.payout.TwoPeople = true
	page := w.get("/payouts/42").body
	checkPage(t, page)
	if !strings.Contains(page, "Two people have to agree") || !strings.Contains(page, "/payouts/42/approve") {
		t.Error("the page does not ask for the first yes of two")
	}
	w.box.payout.Approvals = []approvalLine{{User: "admin", Method: "password", At: noon, Present: true}}
	page = w.get("/payouts/42").body
	checkPage(t, page)
	if !strings.Contains(page, "One more person has to agree") || strings.Contains(page, "/payouts/42/approve") {
		t.Error("the page asks the same person again")
	}
	w.box.payout.Approvals[0].User = "berta"
	if page = w.get("/payouts/42").body; !strings.Contains(page, "yours is the yes that sends it") || !strings.Contains(page, "/payouts/42/approve") {
		t.Error("the page does not ask for the second yes")
	}
}

// Where the miners bear the network fee, the approval shows what arrives.
func TestPayoutBorneByMiners(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.payout.MinersBearFee = true
	w.box.payout.Items[0].FeeShare, w.box.payout.Items[1].FeeShare = 705, 705
	page := w.get("/payouts/42").body
	checkPage(t, page)
	for _, want := range []string{`<data value="511295">`, `<data value="709595">`, `<data value="1220890">`, "borne by the miners"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
}

// The page of what is owed shows those that are owed most, and finds the others.
func TestOwedIsBounded(t *testing.T) {
	w := open(t, newGolden())
	for i := range maxLines + 7 {
		w.box.owed = append(w.box.owed, owedLine{Address: fmt.Sprintf("tb1qmany%04d", i), Payable: int64(i + 1)})
	}
	w.signIn()
	page := w.get("/payouts?tab=owed").body
	checkPage(t, page)
	if n := strings.Count(page, `href="/accounts/`); n != maxLines || !strings.Contains(page, "and 10 more") || strings.Contains(page, "tb1qmany0003") {
		t.Errorf("%d accounts are listed, want %d, those that are owed most", n, maxLines)
	}
	page = w.get("/payouts?tab=owed&q=MANY0003").body
	checkPage(t, page)
	if n := strings.Count(page, `href="/accounts/`); n != 1 || !strings.Contains(page, "tb1qmany0003") {
		t.Errorf("the search finds %d accounts", n)
	}
	checkPage(t, w.get("/payouts?tab=owed&q=%3Cscript%3E").body)
	for range maxLines + 3 {
		w.box.payouts = append(w.box.payouts, payoutLine{ID: 7, State: "settled"})
	}
	if page = w.get("/payouts?tab=sent").body; !strings.Contains(page, "and 4 more") {
		t.Error("the list of payouts has no end")
	}
}
