//go:build browser

package webui

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// The pages that only a form leads to are as sound as the others.
func TestSignInPagesInBrowser(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	for _, l := range languages() {
		t.Run(l.Tag, func(t *testing.T) {
			w := open(t, newGolden())
			ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
			defer cancel()
			ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
			defer stop()
			bad := &complaints{host: w.url}
			bad.listen(ctx)
			run := func(actions ...chromedp.Action) {
				t.Helper()
				if err := chromedp.Run(ctx, actions...); err != nil {
					t.Fatal(err)
				}
			}
			look := func(name, selector string) {
				t.Helper()
				run(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Evaluate(string(axe), nil))
				i := &inspection{t: t, target: target{name: name, visit: w, picture: true}, lang: l.Tag, axe: string(axe)}
				i.screens(ctx)
			}
			run(network.Enable(), log.Enable(), audits.Enable(), network.SetCookie(languageCookie, l.Tag).WithURL(w.url),
				chromedp.Navigate(w.url+"/login"),
				chromedp.SendKeys("#user", "admin", chromedp.ByQuery), chromedp.SendKeys("#password", password+"\r", chromedp.ByQuery))
			run(chromedp.WaitVisible(".page-dashboard", chromedp.ByQuery), chromedp.Navigate(w.url+"/sessions"),
				chromedp.SendKeys("#factor-password", password+"\r", chromedp.ByQuery))
			look("factor", ".page-factor #code")
			run(chromedp.SendKeys("#code", goldenCode+"\r", chromedp.ByQuery))
			look("codes", ".codes li")
			run(chromedp.Navigate(w.url+"/sessions"),
				chromedp.SendKeys("#token-name", "display", chromedp.ByQuery), chromedp.SendKeys("#token-password", password+"\r", chromedp.ByQuery))
			look("token", ".page-token .big-code")
			run(emulation.SetDeviceMetricsOverride(1280, 900, 1, false), chromedp.Click(".who button", chromedp.ByQuery), chromedp.WaitVisible("#user", chromedp.ByQuery),
				chromedp.SendKeys("#user", "admin", chromedp.ByQuery), chromedp.SendKeys("#password", password+"\r", chromedp.ByQuery))
			look("code", ".page-code #code")
			for _, c := range bad.take() {
				t.Errorf("browser complains: %s", c)
			}
		})
	}
}

// The script makes a password that keeps all rules, where there is no secure
// context, too, and brings the end of the session up.
func TestSignInScriptsInBrowser(t *testing.T) {
	browser := startBrowser(t)
	w := open(t, newGolden())
	w.signIn()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	var made struct {
		New, Again, Type string
		Met              int
	}
	err := chromedp.Run(ctx, network.Enable(), w.cookies(), chromedp.Navigate(w.url+"/people"),
		chromedp.Click("#add-new-rules + .tools [data-do=make]", chromedp.ByQuery),
		chromedp.Evaluate(`({new: document.querySelector("#add-new").value, again: document.querySelector("#add-again").value,
			type: document.querySelector("#add-new").type, met: document.querySelectorAll("#add-new-rules .met").length})`, &made))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.New) != 23 || made.New != made.Again || made.Type != "text" || made.Met != 3 {
		t.Errorf("made %+v", made)
	}
	var before, warned, after bool
	soon := `document.querySelector("form.stay").classList.contains("soon")`
	err = chromedp.Run(ctx, chromedp.Evaluate(soon, &before))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.add(29 * time.Minute)
	err = chromedp.Run(ctx,
		chromedp.Evaluate(`Date.now = ((now) => () => now() + 29 * 60e3)(Date.now); document.dispatchEvent(new Event("visibilitychange"))`, nil),
		chromedp.WaitVisible("form.stay.soon button", chromedp.ByQuery), chromedp.Evaluate(soon, &warned),
		chromedp.Click("form.stay.soon button", chromedp.ByQuery),
		chromedp.WaitReady("form.stay:not(.soon)", chromedp.ByQuery), chromedp.Evaluate(`!`+soon, &after),
		chromedp.Evaluate(`document.querySelector("#add-new").value`, &made.Again))
	if err != nil {
		t.Fatal(err)
	}
	if before || !warned || !after || made.Again != made.New {
		t.Errorf("warned before the time: %v; in time: %v; away after staying: %v; what was typed: %q", before, warned, after, made.Again)
	}
	w.clock.add(20 * time.Minute)
	if !w.signedIn() {
		t.Error("the session did not stay")
	}
}
