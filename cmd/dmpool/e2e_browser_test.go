//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/dmpool/dmpool/webui/browsertest"
)

func openBrowser(t *testing.T) context.Context {
	t.Helper()
	return browsertest.Open(t, 1280, 1000)
}

func do(t *testing.T, tab context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	browsertest.Do(t, tab, 30*time.Second, what, actions...)
}

// fill fills a field and looks whether it stays: the first live update of
// a page puts a fresh field in the place of one that nobody has touched yet.
func fill(t *testing.T, tab context.Context, field, text string) {
	t.Helper()
	var got string
	var err error
	for range 10 {
		ctx, cancel := context.WithTimeout(tab, 10*time.Second)
		err = chromedp.Run(ctx, chromedp.SetValue(field, text, chromedp.ByQuery), chromedp.Value(field, &got, chromedp.ByQuery))
		cancel()
		if err == nil && got == text {
			return
		}
	}
	t.Fatalf("field %s holds %q, want %q (%v)", field, got, text, err)
}

func signIn(t *testing.T, tab context.Context, d *demoProcess, url string) {
	t.Helper()
	do(t, tab, "sign in",
		chromedp.Navigate(url+"/"),
		chromedp.WaitVisible("#user"),
		chromedp.SendKeys("#user", demoUser),
		chromedp.SendKeys("#password", d.password),
		chromedp.Click("form[action='/login'] button[type=submit]"),
		chromedp.WaitVisible(".menu"),
	)
}

// allGood looks at the dashboard, which is open.
func allGood(t *testing.T, tab context.Context) {
	t.Helper()
	var health string
	do(t, tab, "dashboard", chromedp.WaitVisible("#live-status a"), chromedp.Text("#live-status", &health))
	if !strings.Contains(health, "All good") {
		t.Errorf("the dashboard says %q", health)
	}
	screenshot(t, tab, "dashboard")
}

// approve does what the operator does: payouts page, payout, total, password, the
// enter key. A click would miss the button when figures above it grow meanwhile.
// It returns the number of the payout.
func approve(t *testing.T, tab context.Context, d *demoProcess, url string) int64 {
	t.Helper()
	var form, at string
	var id int64
	openDraft(t, tab, url)
	do(t, tab, "read the payout", chromedp.WaitVisible("#total"), chromedp.Text("#total-hint", &form), chromedp.Location(&at))
	if _, err := fmt.Sscanf(strings.TrimPrefix(at, url), "/payouts/%d", &id); err != nil {
		t.Fatalf("the payout is at %s: %v", at, err)
	}
	screenshot(t, tab, "payout")
	total := regexp.MustCompile(`\D`).ReplaceAllString(form, "")

	fill(t, tab, "#total", total)
	fill(t, tab, "#password", "not the password")
	do(t, tab, "approve with a wrong password",
		chromedp.SendKeys("#password", kb.Enter),
		chromedp.WaitVisible("#wrong"),
	)
	fill(t, tab, "#password", d.password)
	do(t, tab, "approve",
		chromedp.SendKeys("#password", kb.Enter),
		chromedp.WaitVisible("#said-h"),
	)
	return id
}

// openDraft opens the newest payout, again until it is one that waits for a yes.
// When something is due it asks for one rather than wait for the job.
func openDraft(t *testing.T, tab context.Context, url string) {
	t.Helper()
	for range 180 {
		var links, totals, due []*cdp.Node
		do(t, tab, "open the payouts",
			chromedp.Navigate(url+"/payouts"),
			chromedp.WaitVisible("body.page-payouts h1", chromedp.ByQuery),
			chromedp.Nodes("main a[href^='/payouts/']", &links, chromedp.ByQueryAll, chromedp.AtLeast(0)),
			chromedp.Nodes("form[action='/payouts'][method=post] button", &due, chromedp.ByQueryAll, chromedp.AtLeast(0)),
		)
		var open chromedp.Action
		switch {
		case len(links) > 0:
			open = chromedp.Navigate(url + links[0].AttributeValue("href"))
		case len(due) > 0:
			open = chromedp.Click("form[action='/payouts'][method=post] button", chromedp.ByQuery)
		}
		if open != nil {
			do(t, tab, "open the newest payout", open,
				chromedp.WaitVisible("body:not(.page-payouts) h1", chromedp.ByQuery),
				chromedp.Nodes("#total", &totals, chromedp.ByQueryAll, chromedp.AtLeast(0)),
			)
		}
		if len(totals) > 0 {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("no payout waits for approval")
}

// guestIsSeen waits until the pool's API shows the stranger's work.
func guestIsSeen(t *testing.T, d *demoProcess, address string) {
	t.Helper()
	var seen struct {
		Shares int64 `json:"total_shares"`
	}
	for range 120 {
		getJSON(t, d.url+"/api/observer/"+address, &seen)
		if seen.Shares > 0 {
			return
		}
		time.Sleep(time.Second)
	}
	t.Error("the guest's shares do not show on its observer page")
}

// observerShows looks for a settled payment on the page of an address that the
// transaction paid.
func observerShows(t *testing.T, tab context.Context, d *demoProcess, txid string) {
	t.Helper()
	address := paidAddress(t, d.box, txid)
	var text string
	do(t, tab, "observer page",
		chromedp.Navigate(d.url+"/observer"),
		chromedp.SendKeys("input[name=address]", address+"\n", chromedp.ByQuery),
		chromedp.WaitVisible("body.page-observer h1", chromedp.ByQuery),
		chromedp.Text("main", &text, chromedp.ByQuery),
	)
	if !strings.Contains(text, txid) && !strings.Contains(text, txid[:8]) {
		t.Errorf("the observer page of %s does not show transaction %s:\n%s", address, txid, text)
	}
	screenshot(t, tab, "observer")

	var payouts struct {
		Items []struct {
			State string `json:"state"`
			TxID  string `json:"txid"`
		} `json:"items"`
	}
	getJSON(t, d.url+"/api/observer/"+address+"/payouts", &payouts)
	for _, p := range payouts.Items {
		if p.TxID == txid && p.State == "settled" {
			return
		}
	}
	t.Errorf("the API of %s has no settled payout %s: %+v", address, txid, payouts)
}

func getJSON(t *testing.T, url string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests {
		time.Sleep(5 * time.Second)
		return
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatalf("%s: %s: %v", url, resp.Status, err)
	}
}

// screenshot keeps a picture of the page in $DMPOOL_SCREENSHOTS.
func screenshot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("DMPOOL_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	do(t, tab, "screenshot", chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
