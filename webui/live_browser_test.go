//go:build browser

package webui

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A live stream begins with parts that the page has already. They are left
// alone, or the form for a payout would be replaced between a click and the
// first key; what did change is replaced.
func TestUnchangedPartsStayInBrowser(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	ctx, stop := context.WithTimeout(startBrowser(t), 60*time.Second)
	defer stop()
	change := func(what func(p *payoutView)) chromedp.Action {
		return chromedp.ActionFunc(func(context.Context) error {
			w.box.mu.Lock()
			defer w.box.mu.Unlock()
			what(&w.box.payout)
			w.box.changes <- event{Kind: "payout"}
			return nil
		})
	}
	until := func(js string) chromedp.Action {
		return chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond))
	}
	var formStays, coinsStay bool
	// The elements are noted when the page has been read, before its script runs.
	note := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(`document.addEventListener("readystatechange", () => {
			window.noted ??= ["total", "coins"].map((id) => document.getElementById(id));
		})`).Do(ctx)
		return err
	})
	err := chromedp.Run(ctx, network.Enable(), w.cookies(), note, chromedp.Navigate(w.url+"/payouts/42"),
		until(`document.getElementById("live-state").textContent === "Live"`),
		change(func(p *payoutView) { p.Problem = "The fee has risen." }),
		until(`document.getElementById("live-payout").textContent.includes("The fee has risen.")`),
		chromedp.Evaluate(`noted[0].isConnected`, &formStays),
		chromedp.Evaluate(`noted[1].isConnected`, &coinsStay),
		change(func(p *payoutView) { p.State, p.Can = "approved", payoutCan{Cancel: true} }),
		until(`!document.getElementById("total")`),
	)
	if err != nil {
		t.Fatal(err)
	}
	if !formStays || !coinsStay {
		t.Errorf("unchanged parts stay: form %v, transaction %v", formStays, coinsStay)
	}
}
