package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// stuck is a payout that was sent and does not confirm.
func stuck(g *golden) *golden {
	v := &g.payout
	v.State, v.VSize, v.Estimated, v.Can = "broadcast", 320, false, payoutCan{Bump: true, CancelSent: true, Sponsor: true}
	v.Problem = "The node no longer has the transaction: mempool min fee not met."
	v.Attempts = []attemptLine{
		{Kind: "pay", Fate: "replaced", TxID: strings.Repeat("9f3c", 16), Fee: 410, VSize: 320, FirstSeen: noon},
		{Kind: "bump", Fate: "evicted", TxID: strings.Repeat("aa01", 16), Fee: 1410, VSize: 320, FirstSeen: noon, Refusal: "mempool min fee not met"},
		{Kind: "sponsor", Fate: "funded", TxID: strings.Repeat("bb02", 16), Fee: 900},
	}
	return g
}

func TestPayoutActions(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		change url.Values
		status int
		want   payoutChange
	}{
		"bump":               {"bump", url.Values{"rate": {"12.5"}}, http.StatusSeeOther, payoutChange{Action: actionBump, FeeRate: "12.5"}},
		"bump by estimate":   {"bump", nil, http.StatusSeeOther, payoutChange{Action: actionBump}},
		"sponsor":            {"sponsor", nil, http.StatusSeeOther, payoutChange{Action: actionSponsor}},
		"take back":          {"take-back", nil, http.StatusSeeOther, payoutChange{Action: actionTakeBack}},
		"not possible now":   {"give-up", nil, http.StatusConflict, payoutChange{}},
		"old revision":       {"bump", url.Values{"rev": {"2"}}, http.StatusConflict, payoutChange{}},
		"no revision":        {"bump", url.Values{"rev": nil}, http.StatusBadRequest, payoutChange{}},
		"wrong password":     {"take-back", url.Values{"password": {"guess"}}, http.StatusUnprocessableEntity, payoutChange{}},
		"no password":        {"sponsor", url.Values{"password": nil}, http.StatusUnprocessableEntity, payoutChange{}},
		"no payout":          {"../7/bump", nil, http.StatusNotFound, payoutChange{}},
		"an unknown action":  {"refund", nil, http.StatusNotFound, payoutChange{}},
		"an action by a GET": {"bump", url.Values{"method": {"GET"}}, http.StatusMethodNotAllowed, payoutChange{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stuck(newGolden()))
			w.signIn()
			form := url.Values{"token": {w.token()}, "rev": {"3"}, "password": {password}}
			method := http.MethodPost
			for key, value := range tc.change {
				if key == "method" {
					method, form = value[0], nil
					break
				}
				form[key] = value
			}
			path := "/payouts/42/" + tc.path
			if rest, other := strings.CutPrefix(tc.path, "../"); other {
				path = "/payouts/" + rest
			}
			resp := w.do(method, path, form)
			if resp.StatusCode != tc.status || len(w.box.changed) != btoi(tc.status == http.StatusSeeOther) {
				t.Fatalf("status %d, want %d; %d changes", resp.StatusCode, tc.status, len(w.box.changed))
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			got := w.box.changed[0]
			if got.Action != tc.want.Action || got.FeeRate != tc.want.FeeRate || got.ID != 42 || got.Rev != 3 || got.Operator.Name != "admin" {
				t.Errorf("change %+v, want %+v", got, tc.want)
			}
		})
	}
}

// The page offers what is possible, in words, and lists every transaction.
func TestPayoutActionsPage(t *testing.T) {
	w := open(t, stuck(newGolden()))
	w.signIn()
	page := w.get("/payouts/42").body
	checkPage(t, page)
	for _, want := range []string{"Have it confirm sooner", "Take it back", "Let its change pay for it", "dropped by the node", "(4.4 sat/vB)", "1.28 sat/vB", "can pay anybody twice"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "/give-up") {
		t.Error("the page offers what is not possible")
	}
	w.box.payout.Can = payoutCan{GiveUpDead: true, Approve: true}
	w.box.payout.Attempts = append(w.box.payout.Attempts, attemptLine{Kind: "bump", Fate: "funded", TxID: strings.Repeat("cc03", 16), Fee: 5120, VSize: 320})
	page = w.get("/payouts/42").body
	checkPage(t, page)
	if !strings.Contains(page, "/give-up") || !strings.Contains(page, "A higher network fee waits for your yes") {
		t.Error("the page does not offer to give up, or to approve a higher fee")
	}
	w.box.payout.State, w.box.payout.Can = "cancelled", payoutCan{}
	w.box.payout.Attempts = append(w.box.payout.Attempts, attemptLine{Kind: "cancel", Fate: "confirmed", TxID: "00", Fee: 1})
	page = w.get("/payouts/42").body
	checkPage(t, page)
	if !strings.Contains(page, "back in the wallet") {
		t.Error("the page of a payout that was taken back does not say so")
	}
}

// A higher fee that waits for a yes is shown where payouts that do are: what the
// operator has to do comes before what goes wrong meanwhile.
func TestHigherFeeWaitsForApproval(t *testing.T) {
	g := newGolden()
	sent := &g.payouts[1]
	sent.Waits, sent.Problem = true, "The node no longer has the transaction: mempool min fee not met."
	g.dashboard.Waiting = g.payouts[:2]
	w := open(t, g)
	w.signIn()
	for path, want := range map[string][]string{
		"/payouts":              {`href="/payouts/41"`, `href="/payouts/42"`, "A higher fee waits for approval", sent.Problem},
		"/payouts?tab=problems": {`href="/payouts/39"`},
		"/":                     {"A higher network fee for payout 41 waits for your approval", "Payout 42 waits for your approval"},
	} {
		page := w.get(path).body
		checkPage(t, page)
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not say %q", path, text)
			}
		}
	}
	if page := w.get("/payouts?tab=problems").body; strings.Contains(page, `href="/payouts/41"`) {
		t.Error("it is listed twice")
	}
}
