//go:build browser

package webui

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdpaudits "github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
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
	sound, lost := enter(withWallet("confirmed")), enter(withWallet("drawn"))
	lost.box.vault.page.Loaded, lost.box.vault.page.Ask, lost.box.vault.page.Problem = false, []int{2, 7, 11}, "it waits"
	brief := open(t, newGolden()) // a few routes are like all, and axe looks at each element
	brief.site.described = brief.site.described[2:3]
	block, alice := "blocks/"+full.box.block.Hash, "observer/"+aliceAddress

	list := []target{
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
		{"no-bans", "bans", empty, false, false, false},
		{"links", linksPath(aliceAddress)[1:], full, false, false, false},
		{"help", "help", full, false, false, true},
		{"reference", "reference", brief, true, false, false},
		{"offer", "factor?next=/wallet", full, false, false, true},
		{"needs-factor", "payouts/42", needing, false, false, true},
		{"private", "o/" + linkToken, full, true, false, false},
		{"observer-month", alice + "?range=30d&from=50", full, true, false, false},
	}
	for _, p := range []string{"", "workers", "blocks", "payouts", "node", "jobs", "settings", "books", "people", "sessions", "audit", "connect", "monitoring", "logs", "about"} {
		list = append(list, target{strings.TrimSuffix("full-"+p, "-"), p, full, false, false, true})
	}
	for _, p := range []string{"", "workers", "blocks", "payouts", "node", "jobs", "people", "sessions", "audit", "connect", "monitoring"} {
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

// inspection looks at one page in one language. The page is loaded once, as a
// reload takes longer than all else.
type inspection struct {
	t *testing.T
	target
	lang, axe string
}

// screens are the windows in which a page is looked at, and what they are called.
var screens = []struct {
	width int64
	name  string
}{{1280, "desktop"}, {390, "phone"}, {320, "small"}}

func (i *inspection) run(browser context.Context) {
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext()) // cookies of its own
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	bad := &complaints{host: i.visit.url}
	bad.listen(ctx)
	setUp := chromedp.Tasks{
		network.Enable(), log.Enable(), cdpaudits.Enable(),
		network.SetCookie(languageCookie, i.lang).WithURL(i.visit.url),
	}
	if !i.stranger {
		setUp = append(setUp, i.visit.cookies())
	}
	setUp = append(setUp, chromedp.Navigate(i.visit.url+"/"+i.path), chromedp.WaitReady("main"), chromedp.Evaluate(i.axe, nil))
	if err := chromedp.Run(ctx, setUp); err != nil {
		i.t.Fatal(err)
	}
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			i.look(ctx, screen.width, screen.name, scheme)
		}
	}
	for _, c := range bad.take() {
		if i.loud && strings.Contains(c, "Failed to load resource") {
			continue
		}
		i.t.Errorf("browser complains: %s", c)
	}
}

// rules are those that axe checks. In dark, where the document is the same as in
// light, only those that see colours are checked once more.
const rules = `{light: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
	dark: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}`

func (i *inspection) look(ctx context.Context, width int64, screen, scheme string) {
	var seen struct {
		Scroll, Client int64
		Faults         []string
	}
	script := fmt.Sprintf(`axe.run(document, {runOnly: (%s)[%q], resultTypes: ["violations"]}).then((r) => ({
		scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
		faults: r.violations.flatMap((v) => v.nodes.map((n) => v.id + " at " + n.target.join(" ") + ": " + n.failureSummary)),
	}))`, rules, scheme)
	err := chromedp.Run(ctx,
		emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}),
		chromedp.Evaluate(script, &seen, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err != nil {
		i.t.Fatalf("%d px, %s: %v", width, scheme, err)
	}
	if seen.Scroll > seen.Client {
		i.t.Errorf("page is %d px wide in a window of %d", seen.Scroll, seen.Client)
	}
	for _, f := range seen.Faults {
		i.t.Errorf("%d px, %s: %s", width, scheme, f)
	}
	if dir := os.Getenv("DMPOOL_SCREENSHOTS"); dir != "" && i.shown(screen, scheme) {
		i.keep(ctx, filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.png", i.name, screen, scheme, i.lang)))
	}
}

// shown says which of the many pictures are worth keeping: all screens and schemes
// in English, and the desktop in light for the other languages.
func (i *inspection) shown(screen, scheme string) bool {
	if os.Getenv("DMPOOL_SCREENSHOTS_ALL") != "" {
		return true
	}
	if screen == "small" || !i.picture {
		return false
	}
	return i.lang == english || screen == "desktop" && scheme == "light"
}

func (i *inspection) keep(ctx context.Context, file string) {
	var picture []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		i.t.Fatal(err)
	}
}

// The check sees what it is meant to see: a page with faults fails it.
func TestFaultsInBrowser(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	w := open(t, newGolden())
	ctx, cancel := chromedp.NewContext(browser)
	defer cancel()
	bad := &complaints{host: w.url}
	bad.listen(ctx)
	var faults []string
	err = chromedp.Run(ctx, network.Enable(), log.Enable(), cdpaudits.Enable(), chromedp.Navigate(w.url+"/login"), chromedp.WaitReady("main"),
		chromedp.Evaluate(`document.querySelector("main").innerHTML += '<input name="x"><p style="color: #999">pale</p>'`, nil),
		chromedp.Evaluate(string(axe), nil),
		chromedp.Evaluate(`axe.run().then((r) => r.violations.map((v) => v.id))`, &faults, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams {
			return p.WithAwaitPromise(true)
		}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(faults, "label") {
		t.Errorf("axe sees %v, not the input without a label", faults)
	}
	if list := bad.take(); !slices.ContainsFunc(list, func(c string) bool { return strings.Contains(c, "Content") }) {
		t.Errorf("the browser does not complain about a style of our own: %v", list)
	}
	if res := w.get("/nowhere"); res.StatusCode != http.StatusNotFound {
		t.Errorf("nowhere is %s", res.Status)
	}
}
