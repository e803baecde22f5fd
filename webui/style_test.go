package webui

import (
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// Without a script the pages show times in the zone of the settings, with months in
// the page's language; a change shows on the next page.
func TestTimesAreInTheZoneOfTheSettings(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	if body := w.get("/audit").body; !strings.Contains(body, "Nov 2026, ") || !strings.Contains(body, " UTC</time>") || !strings.Contains(body, `<span id="zone">UTC</span>`) {
		t.Error("a new box does not show UTC")
	}
	w.box.settings.TimeZone = "Asia/Shanghai"
	body := w.get("/audit").body
	checkPage(t, body)
	for _, want := range []string{`<span id="zone">Asia/Shanghai</span>`, "Nov 2026, ", " CST</time>", `data-show="clock">20:00:07</time>`, `<span class="mono">2026-11-22 `} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if body := w.get("/audit?lang=zh-Hans").body; !strings.Contains(body, "2026年11月") {
		t.Error("the months are not Chinese")
	}
	if body := w.get("/?range=30d").body; !strings.Contains(body, `data-show="date">`) {
		t.Error("the chart has no dates")
	}
	w.box.settings.TimeZone = "America/Sao_Paulo"
	if body := w.get("/audit").body; !strings.Contains(body, `data-show="clock">09:00:07</time>`) {
		t.Error("another zone does not show")
	}
}

func TestAmountsAsTheOperatorWants(t *testing.T) {
	for how, want := range map[string][2]string{
		pool.AmountsMixed: {"999,999 sats", "0.010" + nnbsp + "000" + nnbsp + "00 BTC"},
		pool.AmountsSats:  {"999,999 sats", "1,000,000 sats"},
		pool.AmountsBTC:   {"0.009" + nnbsp + "999" + nnbsp + "99 BTC", "0.010" + nnbsp + "000" + nnbsp + "00 BTC"},
	} {
		rules := pool.DefaultSettings("main")
		rules.Amounts = how
		words := mustSite(t, newGolden()).words[english].in(styleOf(rules))
		for i, v := range []int64{999_999, 1_000_000} {
			if got := words.satsText(v); got != want[i] {
				t.Errorf("%s: %d is %q, want %q", how, v, got, want[i])
			}
		}
		if got := string(words.exact(int64(1_000_000))); !strings.Contains(got, "1,000,000") {
			t.Errorf("%s: where money is decided about it says %s", how, got)
		}
	}
}

// Links to an explorer are plain ones, there only when the operator has named one,
// and nothing is fetched from it.
func TestExplorer(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	paths := map[string]string{
		"/blocks/" + w.box.block.Hash: "block/" + w.box.block.Hash,
		"/payouts?tab=sent":           "tx/",
		"/observer/" + aliceAddress:   "tx/",
	}
	for path := range paths {
		if strings.Contains(w.get(path).body, `class="explore"`) {
			t.Errorf("%s leads to an explorer that nobody has named", path)
		}
	}
	w.box.settings.ExplorerURL = goldenExplorer
	for path, want := range paths {
		resp := w.get(path)
		checkPage(t, resp.body)
		if !strings.Contains(resp.body, `class="explore" href="`+goldenExplorer+want) {
			t.Errorf("%s does not lead to %s", path, want)
		}
		if resp.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: the policy has changed", path)
		}
	}
}
