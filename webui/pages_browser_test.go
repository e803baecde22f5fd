//go:build browser

package webui

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	cdpaudits "github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// target is a page as somebody sees it.
type target struct {
	name, path string
	visit      *visit
	stranger   bool // without the session
	loud       bool // its status is an error, which the console mentions
	picture    bool // one of those that show the product
}

// targets are all pages, with data, in their first minute, and in trouble.
func targets(t *testing.T) []target {
	enter := func(g *golden) *visit {
		w := open(t, g)
		w.signIn()
		return w
	}
	full, empty := enter(newGolden()), enter(newGolden().empty())
	trouble, elsewhere := enter(frozen(stuck(newGolden()))), enter(cold(newGolden()))
	bare := newGolden()
	bare.safe.needed = true
	needing := enter(bare)
	unwell := enter(troubled())
	burning := enter(drilling(newGolden()))
	sound, lost := enter(withWallet("confirmed")), enter(withWallet("drawn"))
	lost.box.vault.page.Loaded, lost.box.vault.page.Ask, lost.box.vault.page.Problem = false, []int{2, 7, 11}, "it waits"
	brief := open(t, newGolden()) // a few routes are like all, and axe looks at each element
	brief.site.described = brief.site.described[2:3]
	block, alice := "blocks/"+full.box.block.Hash, "observer/"+aliceAddress

	certified := enter(newGolden())
	certified.site.https = keptPages(t)

	list := []target{
		{"certificate", "certificate", certified, false, false, true},
		{"nowhere", "nowhere", full, false, true, false},
		{"stuck-payout", "payouts/42", trouble, false, false, false},
		{"frozen-books", "books", trouble, false, false, false},
		{"wallet", "wallet", sound, false, false, true},
		{"lost-wallet", "wallet", lost, false, false, false},
		{"cold-payout", "payouts/42", elsewhere, false, false, false},
		{"public-login", "login", full, true, false, true},
		{"public-connect", "connect", full, true, false, false},
		{"public-find", "observer", full, true, false, false},
		{"observer", alice, full, true, false, true},
		{"why", alice + "/why", full, true, false, true},
		{"health-trouble", "health", unwell, false, false, true},
		{"public-new", "observer/" + newAddress, full, true, false, false},
		{"public-nonsense", "observer?address=nonsense", full, true, true, false},
		{"public-nowhere", "nowhere", full, true, true, false},
		{"statement", alice + "/" + block, full, true, false, true},
		{"receipt", alice + "/payouts/40", full, true, false, true},
		{"account", "accounts/" + newAddress, full, false, false, false},
		{"payouts-owed", "payouts?tab=owed", full, false, false, true},
		{"payouts-sent", "payouts?tab=sent", full, false, false, false},
		{"payout", "payouts/42", full, false, false, true},
		{"block", block, full, false, false, true},
		{"find", "observer", full, false, false, false},
		{"worker", workerPath(aliceAddress, "bitaxe1")[1:], full, false, false, true},
		{"bans", "bans", full, false, false, false},
		{"device", "devices/3", full, false, false, true},
		{"devices", "devices", full, false, false, true},
		{"no-devices", "devices", empty, false, false, false},
		{"alerts", "alerts", full, false, false, true},
		{"no-alerts", "alerts", empty, false, false, false},
		{"channels", "alerts/channels", full, false, false, false},
		{"channel-mail", "alerts/channels/43", full, false, false, false},
		{"channel-tested", "alerts/channels/42?done=test", full, false, false, false},
		{"channel-hook", "alerts/channels/new?kind=webhook", full, false, false, false},
		{"alert-rules", "alerts/rules", full, false, false, false},
		{"alert-rule", "alerts/rules/own-1", full, false, false, false},
		{"no-bans", "bans", empty, false, false, false},
		{"links", linksPath(aliceAddress)[1:], full, false, false, false},
		{"backup-one", "backup/42", full, false, false, false},
		{"backup-failed", "backup/40", full, false, false, false},
		{"backup-places", "backup/places", full, false, false, true},
		{"no-places", "backup/places", empty, false, false, false},
		{"help", "help", full, false, false, true},
		{"reference", "reference", brief, true, false, false},
		{"offer", "factor?next=/wallet", full, false, false, true},
		{"needs-factor", "payouts/42", needing, false, false, true},
		{"private", "o/" + linkToken, full, true, false, false},
		{"drill-running", "drill", burning, false, false, false},
		{"drill-failed", "drill/20261121T080000Z", full, false, false, false},
		{"observer-month", alice + "?range=30d&from=50", full, true, false, false},
	}
	for _, p := range []string{"", "workers", "blocks", "payouts", "node", "jobs", "settings", "books", "people", "sessions", "audit", "connect", "health", "monitoring", "logs", "drill", "backup", "about", "support"} {
		list = append(list, target{strings.TrimSuffix("full-"+p, "-"), p, full, false, false, true})
	}
	for _, p := range []string{"", "workers", "blocks", "payouts", "node", "jobs", "people", "sessions", "audit", "connect", "monitoring", "drill", "backup"} {
		list = append(list, target{strings.TrimSuffix("empty-"+p, "-"), p, empty, false, false, false})
	}
	return list
}

// Every page, in both languages, light and dark, on a desktop and two phones: axe
// finds nothing, nothing has to be scrolled sideways, and the browser has nothing
// to complain about. DMPOOL_SCREENSHOTS=DIR keeps pictures of the main pages.
func TestPagesInBrowser(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	all := targets(t)
	t.Run("pages", func(t *testing.T) { // which returns when the parallel ones are done
		for _, tg := range all {
			for _, l := range languages() {
				t.Run(tg.name+" "+l.Tag, func(t *testing.T) {
					t.Parallel()
					look := &inspection{t: t, target: tg, lang: l.Tag, axe: string(axe)}
					look.run(browser)
				})
			}
		}
	})
}

// The check sees what it is meant to see: a page with faults fails it.
func TestFaultsInBrowser(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	w := open(t, newGolden())
	w.signIn()
	ctx, cancel := chromedp.NewContext(browser)
	defer cancel()
	bad := &complaints{host: w.url}
	bad.listen(ctx)
	i := &inspection{t: t, lang: english, axe: string(axe)}
	err = chromedp.Run(ctx, network.Enable(), log.Enable(), cdpaudits.Enable(), w.cookies(), chromedp.Navigate(w.url+"/jobs"), chromedp.WaitReady("main"),
		screenOf(390), in("light"), chromedp.Evaluate(string(axe), nil),
		chromedp.Evaluate(`document.querySelector("main").innerHTML += '<p style="color: #999">styled</p>'`, nil))
	if err != nil {
		t.Fatal(err)
	}
	if list := bad.take(); !slices.ContainsFunc(list, func(c string) bool { return strings.Contains(c, "Content") }) {
		t.Errorf("the browser does not complain about a style of our own: %v", list)
	}
	if list := append(i.see(ctx, "light"), i.see(ctx, "dark")...); list != nil {
		t.Fatalf("the page has faults before it has faults: %v", list)
	}
	for _, tc := range []struct{ does, scheme, want string }{
		{`add("input").name = "x"`, "light", "label at"},
		{`add("p").style.color = "light-dark(#000, #333)"`, "dark", "color-contrast at"},
		{`for (const n of "ab") Object.assign(add("button").style, {minHeight: 0, height: "9px", width: "9px", padding: 0})`, "light", "target-size at"},
		{`add("p").style.width = "500px"`, "light", "px wide in a window of 390"},
		{`add("button").style.outline = "none"`, "light", "shows no focus"},
		{`document.documentElement.style.scrollPadding = 0`, "light", "has the focus under"},
	} {
		script := `{const add = (name) => { const el = document.createElement(name); el.textContent = "planted"; document.querySelector("main").append(el); return el; }; ` + tc.does + `}`
		if err := chromedp.Run(ctx, chromedp.Evaluate(script, nil), in(tc.scheme)); err != nil {
			t.Fatal(err)
		}
		if list := i.see(ctx, tc.scheme); !slices.ContainsFunc(list, func(f string) bool { return strings.Contains(f, tc.want) }) {
			t.Errorf("%s is not seen: %v", tc.does, list)
		}
	}
	if res := w.get("/nowhere"); res.StatusCode != http.StatusNotFound {
		t.Errorf("nowhere is %s", res.Status)
	}
}
