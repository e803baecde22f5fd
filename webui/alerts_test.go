package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
)

func TestAlertsPage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/alerts").body
	for _, want := range []string{
		"2 miners are offline", "&lt;script&gt;", "Winter: The hash rate is below 90.0 TH/s", "The hash rate is not below 90.0 TH/s any more", "Block 924,980 found!",
		"Kitchen (tb1qw508…pjzsx) has found block 924,980", `href="/blocks/000`, "Dismiss all that is over", `value="43"`, `class="alert over"`, `class="alert warning"`,
		`<span class="badge warn">3</span>`,
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "(tb1qw508…pjzsx)", "(tb1qw508…xpjzsx)")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if past := w.get("/alerts?type=ledger_frozen").body; !strings.Contains(past, "Open Books and wallet") && !strings.Contains(past, "Payouts are frozen: the sums differ.") {
		t.Error("the history lacks what was dismissed")
	}
	if chinese := w.get("/alerts?lang=zh-Hans").body; !strings.Contains(chinese, "2 台矿机离线") {
		t.Error("no Chinese")
	}
	if r := w.do(http.MethodPost, "/alerts/dismiss", url.Values{"token": {w.token()}, "id": {"44"}}); r.StatusCode != http.StatusSeeOther {
		t.Errorf("dismiss: status %d", r.StatusCode)
	}
	if r := w.do(http.MethodPost, "/alerts/dismiss", url.Values{"token": {w.token()}, "id": {"44"}}); r.StatusCode != http.StatusNotFound {
		t.Errorf("dismiss again: status %d", r.StatusCode)
	}
	w.do(http.MethodPost, "/alerts/dismiss", url.Values{"token": {w.token()}, "over_to": {"43"}})
	if want := []string{"dismiss 44", "dismiss over 43"}; !slices.Equal(w.box.done, want) {
		t.Errorf("done %q, want %q", w.box.done, want)
	}
	if page := w.get("/alerts").body; strings.Contains(page, `name="id" value="44"`) {
		t.Error("what was dismissed is still open")
	}
}

// Channels let data out: without the password nothing changes, and no secret comes back.
func TestChannelPages(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	post := func(path string, form url.Values) answer {
		form.Set("token", w.token())
		return w.do(http.MethodPost, path, form)
	}
	form := func() url.Values {
		return url.Values{
			"kind": {"ntfy"}, "name": {"Tablet"}, "server": {"https://ntfy.example.org"}, "topic": {"pool"}, "per_hour": {"7"}, "enabled": {"yes"}, "secret": {"tk_hidden"},
		}
	}
	for _, path := range []string{"/alerts/channels/new", "/alerts/channels/42", "/alerts/channels/42/remove", "/alerts/policy"} {
		f := form()
		f.Set("password", "wrong")
		f.Set("from", "22:00")
		f.Set("to", "06:30")
		r := post(path, f)
		if r.StatusCode != http.StatusUnprocessableEntity || strings.Contains(r.body, "tk_hidden") {
			t.Errorf("%s with a wrong password: status %d", path, r.StatusCode)
		}
		checkPage(t, r.body)
	}
	if len(w.box.done) > 0 {
		t.Fatalf("done without a password: %q", w.box.done)
	}
	f := form()
	f.Set("password", password)
	f.Set("topic", "")
	if r := post("/alerts/channels/new", f); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, "A topic has at most 64") || !strings.Contains(r.body, `value="Tablet"`) {
		t.Errorf("no topic: status %d", r.StatusCode)
	}
	f.Set("topic", "pool")
	if r := post("/alerts/channels/new", f); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/alerts/channels/42?done=set" || w.box.secret.Token != "tk_hidden" {
		t.Errorf("new: status %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r := post("/alerts/channels/42/test", url.Values{}); r.Header.Get("Location") != "/alerts/channels/42?done=test" {
		t.Errorf("test: %d", r.StatusCode)
	}
	if page := w.get("/alerts/channels/42?done=test").body; !strings.Contains(page, "The test was taken.") {
		t.Error("the result of the test is not shown")
	}
	w.clock.add(2 * time.Minute) // passwords have a limit
	policy := url.Values{"password": {password}, "quiet": {"yes"}, "from": {"22:30"}, "to": {"6:05"}, "language": {"zh-Hans"}}
	if r := post("/alerts/policy", policy); r.StatusCode != http.StatusSeeOther || w.box.policy != (alert.Policy{Quiet: true, From: 1350, To: 365, Language: "zh-Hans"}) {
		t.Errorf("policy: status %d, %+v", r.StatusCode, w.box.policy)
	}
	policy.Set("to", "noon")
	if r := post("/alerts/policy", policy); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a time that is none: status %d", r.StatusCode)
	}
	if r := post("/alerts/channels/42/remove", url.Values{"password": {password}}); r.StatusCode != http.StatusSeeOther {
		t.Errorf("remove: status %d", r.StatusCode)
	}
	for _, path := range []string{"/alerts/channels/7", "/alerts/channels/new?kind=pigeon", "/alerts/channels/x", "/alerts/rules/none", "/alerts/rules/new?type=weather"} {
		if r := w.get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
	}
}

func TestAlertRulePages(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/alerts/rules").body
	for _, want := range []string{"Miner offline", "Winter", "/alerts/rules/own-1", "fewer than 1, for 10 minutes"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	form := url.Values{"token": {w.token()}, "level": {"critical"}, "enabled": {"yes"}, "threshold": {"7.5"}, "cooldown": {"60"}, "channel": {"42", "45"}}
	if r := w.do(http.MethodPost, "/alerts/rules/reject_rate", form); r.StatusCode != http.StatusSeeOther {
		t.Errorf("change: status %d", r.StatusCode)
	}
	form.Set("threshold", "many")
	if r := w.do(http.MethodPost, "/alerts/rules/reject_rate", form); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, "The threshold is between") {
		t.Errorf("no number: status %d", r.StatusCode)
	}
	own := url.Values{"token": {w.token()}, "type": {"no_block"}, "name": {"Dry spell"}, "level": {"info"}, "minutes": {"600"}, "cooldown": {"60"}, "enabled": {"yes"}, "channel": {"42", "43", "44", "45"}}
	if r := w.do(http.MethodPost, "/alerts/rules/new", own); r.StatusCode != http.StatusSeeOther {
		t.Errorf("make: status %d", r.StatusCode)
	}
	w.do(http.MethodPost, "/alerts/rules/own-1/reset", url.Values{"token": {w.token()}})
	want := []string{"rule reject_rate true 7.5 0 [42 45]", "rule own-2 true 0 600 []", "reset own-1"}
	if !slices.Equal(w.box.done, want) {
		t.Errorf("done %q, want %q", w.box.done, want)
	}
}
