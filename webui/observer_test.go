package webui

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The observer page has everything that belongs there, and sets no cookie.
func TestObserverPage(t *testing.T) {
	w := open(t, newGolden())
	resp := w.get("/observer/" + aliceAddress)
	for _, want := range []string{
		`name="robots" content="noindex`, "Estimated hashrate", "this session", "this round", "Best share ever",
		"9 stale", "3 low difficulty", "61", "19.6", "Share of the minimum payout", "1 in ", "How far the shares reach", "Recent shares",
		"412 confirmations", "Payment 40", "/statement.csv", "BITCOIN:TB1QW508", "?range=30d", "/hashrate.csv?range=24h", "Refresh", `id="pause"`,
	} {
		if !strings.Contains(resp.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, secret := range []string{"Kitchen", "wifi", "Alice"} {
		if strings.Contains(resp.body, secret) {
			t.Errorf("the public page tells what operators say: %s", secret)
		}
	}
	if len(resp.Cookies()) > 0 {
		t.Errorf("cookies %v", resp.Cookies())
	}
	if body := w.get("/observer/" + newAddress).body; !strings.Contains(body, "No shares from this address yet") || !strings.Contains(body, "/connect") {
		t.Error("an unknown address is not met with a way on")
	}
}

// Lists are turned page by page, and what else the URL asks for stays.
func TestObserverTurnsPages(t *testing.T) {
	g := newGolden()
	for i := range 130 {
		g.shares = append(g.shares, shareLine{At: noon.Add(-time.Hour - time.Duration(i)*time.Minute), Worker: "older", Difficulty: 1, Achieved: 2})
		g.paid = append(g.paid, paidLine{ID: int64(1000 + i), Amount: 5, State: "settled", CreatedAt: noon})
	}
	w := open(t, g)
	at := "/observer/" + aliceAddress
	for path, want := range map[string][]string{
		at:                        {`href="?from=50#shares-h"`, `href="?paid=20#paid-h"`},
		at + "?range=7d&from=50":  {`href="?range=7d#shares-h"`, `href="?from=100&amp;range=7d#shares-h"`, `href="?from=50&amp;paid=20&amp;range=7d#paid-h"`},
		at + "?from=100":          {`href="?from=50#shares-h"`},
		at + "?from=999999":       {`href="?from=9950#shares-h"`, "No share here."},
		at + "?from=-5&paid=x":    {`href="?from=50&amp;paid=x#shares-h"`},
		at + "?paid=120&from=130": {`href="?from=130&amp;paid=100#paid-h"`},
	} {
		body := w.get(path).body
		checkPage(t, body)
		for _, link := range want {
			if !strings.Contains(body, link) {
				t.Errorf("%s lacks %s, has %v", path, link, regexp.MustCompile(`href="\?[^"]*#[^"]*"`).FindAllString(body, -1))
			}
		}
	}
}

// Behind a private link nothing tells the address, in either language, as HTML, as a
// stream or as a table; nor does the log tell the token.
func TestPrivateLink(t *testing.T) {
	g := newGolden()
	g.workers[1].Name, g.workers[1].UserAgent = strings.ToUpper(aliceAddress), "x/"+aliceAddress
	g.observer.Workers = g.workers[:2]
	g.shares[5].Worker = strings.ToUpper(aliceAddress)
	w := open(t, g)
	path := "/o/" + linkToken
	for _, p := range []string{path, path + "?lang=zh-Hans&range=30d", path + "/hashrate.csv", path + "?from=50"} {
		resp := w.get(p)
		all := strings.ToLower(resp.body + fmt.Sprint(resp.Header))
		if resp.StatusCode != http.StatusOK || strings.Contains(all, aliceAddress) || strings.Contains(all, aliceAddress[8:20]) || strings.Contains(all, strings.Repeat("77e0", 4)) {
			t.Errorf("%s: status %d, or it tells the address or a transaction", p, resp.StatusCode)
		}
		if len(resp.Cookies()) > 0 {
			t.Errorf("%s sets %v", p, resp.Cookies())
		}
	}
	body := w.get(path).body
	for _, want := range []string{"<bdi>Alice</bdi>", "<bdi>Kitchen</bdi>", "9,300,000"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(body, "quiet\"><bdi>") || strings.Contains(body, "/observer/tb1") {
		t.Error("the page tells tags, or leads to the address")
	}
	for _, p := range []string{"/o/x", "/o/" + strings.ToLower(linkToken), "/o/x/hashrate.csv"} {
		if resp := w.get(p); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}

	var said bytes.Buffer
	w.site.log = slog.New(slog.NewTextHandler(&said, nil))
	w.site.fail(discard{}, &http.Request{URL: &url.URL{Path: path}, Header: http.Header{}}, caller{}, fmt.Errorf("disk gone"))
	if strings.Contains(said.String(), linkToken) || !strings.Contains(said.String(), "disk gone") {
		t.Errorf("the log says %s", said.String())
	}
}

// discard is an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// Operators make and take back links, and name the address.
func TestLinks(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	path, form := linksPath(aliceAddress), url.Values{"token": {w.token()}}
	made := w.do(http.MethodPost, path, form)
	if made.StatusCode != http.StatusOK || !strings.Contains(made.body, w.url+"/o/"+linkToken) {
		t.Errorf("made: status %d", made.StatusCode)
	}
	checkPage(t, made.body)
	if got := made.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the link may be kept: %q", got)
	}
	if body := w.get(path).body; strings.Contains(body, linkToken) || !strings.Contains(body, "00aa11bb22cc") {
		t.Error("the link is shown twice, or not listed")
	}
	if resp := w.do(http.MethodPost, path+"/00aa11bb22cc/revoke", form); resp.StatusCode != http.StatusSeeOther || !slices.Equal(w.box.unlinked, []string{"00aa11bb22cc"}) {
		t.Errorf("revoke: status %d, %v", resp.StatusCode, w.box.unlinked)
	}
	form.Set("name", "Aunt Alice")
	if resp := w.do(http.MethodPost, "/accounts/"+aliceAddress+"/name", form); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("name: status %d", resp.StatusCode)
	}
	if body := w.get("/o/" + linkToken).body; !strings.Contains(body, "Aunt Alice") {
		t.Error("the page has another name")
	}
	form.Set("name", strings.Repeat("x", 50))
	if resp := w.do(http.MethodPost, "/accounts/"+aliceAddress+"/name", form); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a long name: status %d", resp.StatusCode)
	}
}

// A histogram has a bar for each bucket between the first and the last, inside the
// box, the tallest for the most shares; and its shares are all there.
func TestHistogramBars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reached{Buckets: rapid.MapOf(rapid.IntRange(-20, 70), rapid.Int64Range(1, 1e9)).Draw(t, "buckets")}
		for _, n := range r.Buckets {
			r.Shares += n
		}
		h := newHistogram(r)
		var sum int64
		for i, b := range h.Bars {
			sum += b.Count
			if b.X < 0 || b.X+b.Width > chartWidth || b.Y < 0 || b.Height < 0 || b.Y+b.Height > barHeight+0.2 || (b.Count == 0) != (b.Height == 0) {
				t.Fatalf("bar %+v leaves its box", b)
			}
			if i > 0 && b.Low != 2*h.Bars[i-1].Low {
				t.Fatalf("bar from %v follows that from %v", b.Low, h.Bars[i-1].Low)
			}
		}
		keys := slices.Sorted(maps.Keys(r.Buckets))
		if sum != r.Shares || len(keys) > 0 && len(h.Bars) != keys[len(keys)-1]-keys[0]+1 {
			t.Fatalf("%d bars with %d shares, want %d", len(h.Bars), sum, r.Shares)
		}
	})
}

// The pages about miners leave no English in Chinese.
func TestMinersPagesInChinese(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	foreign := regexp.MustCompile(`(?s)<(bdi|code|pre|title)\b.*?</(bdi|code|pre|title)>|<span lang="en">.*?</span>|<[^>]*>|&[a-z#0-9]+;`)
	word := regexp.MustCompile(`\b[A-Za-z]{3,}\b`)
	known := strings.Fields("CSV SHA UTC DMPool Wi Fi NTP PPLNS coinbase TLS BTC sats AxeOS Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Mon Tue Wed Thu Fri Sat Sun min split json admin bert dmpool verify address digest hashes " +
		"kWh Bitaxe NerdMiner NerdQAxe Antminer Whatsminer Avalon Nano Mini CGMiner App cgminer bfgminer URL Stratum Host Port User Password Settings Pools Miner Configuration WhatsMinerTool ESP signet")
	for _, path := range []string{
		"/workers", workerPath(aliceAddress, "bitaxe1"), "/bans", "/observer/" + aliceAddress, "/o/" + linkToken, linksPath(aliceAddress),
		"/observer?address=x", "/observer/" + aliceAddress + "/payouts/40", "/observer/" + aliceAddress + "/blocks/" + g.block.Hash, "/observer/" + newAddress, "/connect", "/devices", "/devices/3",
	} {
		body := w.get(path + map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "lang=zh-Hans").body
		checkPage(t, body)
		_, body, _ = strings.Cut(body, `tabindex="-1">`)
		body, _, _ = strings.Cut(body, "</main>")
		body = strings.ReplaceAll(strings.ReplaceAll(body, aliceAddress, ""), bobAddress, "")
		for _, found := range word.FindAllString(foreign.ReplaceAllString(body, " "), -1) {
			if !slices.Contains(known, found) && !regexp.MustCompile(`^[0-9a-f]+$|^tb1`).MatchString(found) {
				t.Errorf("%s says %q", path, found)
			}
		}
	}
}

func TestAsSentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"payouts are frozen":            "Payouts are frozen.",
		"payouts are frozen: Ask Anna.": "Payouts are frozen: Ask Anna.",
	} {
		if got := asSentence(errors.New(text)); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
