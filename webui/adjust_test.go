package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/payout"
)

// indebted is a box with an account that can be put right in both ways.
func indebted() *golden {
	g := newGolden()
	g.adjust = adjustView{
		Debt:    7_000,
		Outside: []outsideLine{{TxID: strings.Repeat("ab", 32), Amount: 9_000, Now: 4_000}, {TxID: strings.Repeat("cd", 32), Amount: 100}},
		Said:    []correctLine{{At: noon.Add(-time.Hour), User: "admin", Amount: -5, Reason: hostile, Address: newAddress}},
	}
	return g
}

func TestAdjustAccount(t *testing.T) {
	theirs := strings.Repeat("ab", 32)
	for name, tc := range map[string]struct {
		change url.Values
		status int
		says   string
		want   adjustment
	}{
		"a debt":            {url.Values{"what": {"debt"}}, http.StatusSeeOther, "", adjustment{Amount: 7_000}},
		"a payment":         {url.Values{"what": {theirs}}, http.StatusSeeOther, "", adjustment{TxID: theirs, Amount: 4_000}},
		"no choice":         {nil, http.StatusUnprocessableEntity, "choose what is to be done", adjustment{}},
		"nothing payable":   {url.Values{"what": {strings.Repeat("cd", 32)}}, http.StatusUnprocessableEntity, "choose what is to be done", adjustment{}},
		"no reason":         {url.Values{"what": {"debt"}, "reason": {" "}}, http.StatusUnprocessableEntity, "say why", adjustment{}},
		"a wrong password":  {url.Values{"what": {"debt"}, "password": {"guess"}}, http.StatusUnprocessableEntity, "the password is wrong", adjustment{}},
		"changed meanwhile": {url.Values{"what": {"debt"}, "seen": {"6999"}}, http.StatusConflict, "nothing was done", adjustment{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, indebted())
			w.signIn()
			page := w.get("/accounts/" + newAddress).body
			checkPage(t, page)
			for _, want := range []string{"/adjust", `<data value="7000">`, `<data value="4000">`, "nothing of this can be taken off now", "take <data value=\"5\">"} {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			form := url.Values{"token": {w.token()}, "seen": {w.box.adjust.Seen()}, "reason": {"sold"}, "password": {password}}
			for key, value := range tc.change {
				form[key] = value
			}
			resp := w.do(http.MethodPost, "/accounts/"+newAddress+"/adjust", form)
			if resp.StatusCode != tc.status || !strings.Contains(resp.body, tc.says) || len(w.box.adjusted) != btoi(tc.status == http.StatusSeeOther) {
				t.Fatalf("status %d, want %d; %d adjusted; says %q: %v", resp.StatusCode, tc.status, len(w.box.adjusted), tc.says, strings.Contains(resp.body, tc.says))
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			got := w.box.adjusted[0]
			if got.TxID != tc.want.TxID || got.Amount != tc.want.Amount || got.Address != newAddress || got.Reason != "sold" || got.Operator.Name != "admin" {
				t.Errorf("adjusted %+v, want %+v", got, tc.want)
			}
		})
	}
}

// Where there are several operators one yes waits, and where there is nothing to put
// right nothing is offered.
func TestAdjustAccountByTwo(t *testing.T) {
	w := open(t, indebted())
	w.box.lonely = true
	w.signIn()
	form := url.Values{"token": {w.token()}, "seen": {w.box.adjust.Seen()}, "what": {"debt"}, "reason": {"sold"}, "password": {password}}
	resp := w.do(http.MethodPost, "/accounts/"+newAddress+"/adjust", form)
	next := resp.Header.Get("Location")
	if next != "/accounts/"+newAddress+"?waits" {
		t.Fatalf("status %d, Location %q", resp.StatusCode, next)
	}
	if page := w.get(next).body; !strings.Contains(page, "Another operator has to sign in") {
		t.Error("the page does not say that it waits")
	}

	w.box.adjust.Wait = "A payout of this account is still on its way."
	w.box.adjust.Outside = nil
	page := w.get("/accounts/" + newAddress).body
	checkPage(t, page)
	if strings.Contains(page, "/adjust") || !strings.Contains(page, "still on its way") {
		t.Error("a debt is offered that cannot be written off yet")
	}
	w.box.adjust = adjustView{}
	if page := w.get("/accounts/" + newAddress).body; strings.Contains(page, "Put right by hand") {
		t.Error("there is nothing to put right, and the page offers it")
	}
}

// A statement names the transaction that had paid the miner.
func TestAdjustedBy(t *testing.T) {
	txid := chainhash.HashH([]byte("theirs"))
	said := []payout.Correction{{What: "a"}, {What: "b", TxID: &txid}}
	for ref, want := range map[string]string{"adj:a": "", "adj:b": txid.String(), "adj:c": ""} {
		if got := adjustedBy(said, ref); got != want {
			t.Errorf("adjustedBy(%s) = %q, want %q", ref, got, want)
		}
	}
}
