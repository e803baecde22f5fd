package webui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// vault is the wallet of the golden data.
type vault struct {
	page    walletPage
	words   []string
	changes []walletChange
	taken   int
	swept   []string // the requests for a sweep
	file    string   // that was uploaded
	err     error
}

func (g *golden) Wallet(context.Context) (walletPage, error) { return g.vault.page, nil }

func (g *golden) DrawWords(context.Context, operator, string) ([]string, error) {
	return g.vault.words, g.vault.err
}

func (g *golden) ChangeWallet(_ context.Context, c walletChange) error {
	g.vault.changes = append(g.vault.changes, c)
	return g.vault.err
}

func (g *golden) UploadWallet(_ context.Context, file io.Reader, c walletChange) error {
	content, err := io.ReadAll(file)
	g.vault.changes, g.vault.file = append(g.vault.changes, c), string(content)
	return errors.Join(g.vault.err, err)
}

func (g *golden) CopyOfWallet(context.Context, operator, string) (walletCopyFile, error) {
	g.vault.taken++
	return walletCopyFile{io.NopCloser(strings.NewReader("the copy")), "2026-11-22-dmpool-practice.wallet"}, g.vault.err
}

func (g *golden) DraftSweep(_ context.Context, op operator, key string, all bool, _ string) (int64, error) {
	g.vault.swept = append(g.vault.swept, fmt.Sprint(op.Name, " ", key, " ", all))
	return 42, g.vault.err
}

// withWallet is a box with a wallet of words, with all that the page can tell of it.
func withWallet(words string) *golden {
	g := newGolden()
	amount := int64(366_366_793)
	g.vault = vault{
		page: walletPage{
			Name: "dmpool-practice", Address: newAddress, Loaded: true, Unlock: "ask", Kept: "memory", Restorable: true, Paid: true,
			Trusted: &amount, Immature: &amount, Pending: new(int64), Missing: 5,
			Coins: &coinsView{14, 3}, FeeRates: []feeLine{{2, "8.2"}, {6, "4.1"}, {144, "1"}}, Words: words, Print: "73c5da0a",
			Copied: noon.Add(-time.Hour), Copies: []string{"2026-11-22-dmpool-practice.wallet"}, Folder: "/var/lib/dmpool/wallet-backups",
			Limit: 300_000_000, Over: 66_366_793, Advice: "Approve the payouts that wait.", Target: aliceAddress, Next: bobAddress, NextAt: noon.Add(20 * time.Hour),
		},
		words: strings.Fields("legal winner thank year wave sausage worth useful legal winner thank yellow"),
	}
	return g
}

func TestWalletPage(t *testing.T) {
	for _, v := range []struct {
		name  string
		set   func(*walletPage)
		words string
		want  []string
		not   []string
	}{
		{"of words", nil, "confirmed", []string{"73c5da0a", "Try your words", "Nobody has tried", "Download the newest copy", "are not shown", "takes the place of the cold address"}, []string{"Restore it from", "Make the wallet"}},
		{"with figures", nil, "confirmed", []string{
			"In payouts under way", ">14 <span", "(and 3 taken by payouts under way)", "within an hour <b>4.1</b>", "BITCOIN:" + strings.ToUpper(newAddress), `id="live-sums"`,
		}, []string{"This box cannot spend"}},
		{"without figures", func(p *walletPage) { p.Coins, p.FeeRates, p.Address = nil, nil, "" }, "confirmed", []string{"no data"}, []string{"<dd>0", "sat/vB", "BITCOIN:"}},
		{"of the node", func(p *walletPage) { p.TestedAt = noon }, "none", []string{"Made by the node"}, []string{"Try your words", "Nobody has tried"}},
		{"its address", nil, "none", []string{"BITCOIN:" + strings.ToUpper(newAddress), "In payouts under way"}, nil},
		{"without an address", func(p *walletPage) { p.Address = "" }, "none", nil, []string{"Blocks pay to"}},
		{"not made yet", func(p *walletPage) { p.Loaded, p.Restorable, p.Problem = false, false, "it waits" }, "wanted", []string{"Make the wallet", "Miners get no work", "Restore it from words"}, []string{"Confirm your words"}},
		{"words shown", func(p *walletPage) { p.Loaded, p.Ask = false, []int{2, 7, 11} }, "drawn", []string{"Confirm your words", `id="word-7"`, "Draw other words"}, nil},
		{"damaged", func(p *walletPage) { p.Loaded, p.Problem = false, "it is damaged" }, "confirmed", []string{"Restore it from a copy", "Upload and restore", "Mining goes on, because"}, []string{"Take a copy away"}},
		{"not paid by blocks", func(p *walletPage) { p.Loaded, p.Restorable, p.Paid, p.Problem = false, false, false, "it waits" }, "wanted", []string{"each block pays its miner"}, []string{"Miners get no work"}},
		{"without a copy", func(p *walletPage) { p.Loaded, p.Copies, p.Failed = false, nil, "the disk is full" }, "none", []string{"There is no copy on this box", "The last copy failed"}, nil},
		{"of a service", func(p *walletPage) { p.Unlock, p.Kept, p.NextAt = "auto", "service", time.Time{} }, "none", []string{"With a TPM"}, []string{"takes the place", "/wallet/keep"}},
		{"in a file", func(p *walletPage) {
			p.Unlock, p.Kept, p.KeptIn, p.Next = "auto", "file", "/var/lib/dmpool/passphrase", ""
		}, "none", []string{"Ask me after each start", "an SSD, or a copy of the disk", "Whoever takes the disk", "/var/lib/dmpool/passphrase</span>; keep that, too", "The cold address ends"}, nil},
		{"signed elsewhere", func(p *walletPage) { p.Cold, p.Trusted = true, nil }, "none", []string{"it has no passphrase", "no data", "This box cannot spend from it"}, []string{"/wallet/keep"}},
		{
			"with something to move", func(p *walletPage) { p.OwnOver, p.Own, p.DraftsSweep = 5_000_000, 9_000_000, true }, "none",
			[]string{`Move <data value="5000000">`, `Move all <data value="9000000">`, `value="1" checked`, aliceAddress},
			[]string{"nothing to move now"},
		},
		{"with little to move", func(p *walletPage) { p.Own = 200_000 }, "none", []string{`Move all <data value="200000">`}, []string{"nothing to move now", "to the cold address</button>"}},
		{"with nothing to move", nil, "none", []string{"There is nothing to move now"}, []string{`action="/wallet/sweep"`}},
		{"without a cold address", func(p *walletPage) { p.Target, p.Own = "", 5_000_000 }, "none", nil, []string{"Move all", `id="sweep-h"`}},
		{"locked", func(p *walletPage) { p.Kept, p.Locked = "", true }, "none", []string{"In your head alone", "Unlock by itself"}, []string{"Ask me after each start"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			g := withWallet(v.words)
			if v.set != nil {
				v.set(&g.vault.page)
			}
			w := open(t, g)
			w.signIn()
			page := w.get("/wallet").body
			checkSays(t, page, v.want, v.not)
		})
	}
}

// The words are in one answer, which nobody keeps, and behind the password.
func TestWordsAreShownOnce(t *testing.T) {
	w := open(t, withWallet("wanted"))
	w.signIn()
	form := url.Values{"token": {w.token()}, "password": {"Wrong password 1"}}
	if resp := w.do(http.MethodPost, "/wallet/words", form); resp.StatusCode != http.StatusUnprocessableEntity || strings.Contains(resp.body, "sausage") {
		t.Errorf("with a wrong password: status %d", resp.StatusCode)
	}
	form.Set("password", password)
	resp := w.do(http.MethodPost, "/wallet/words", form)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, Cache-Control %q", resp.StatusCode, resp.Header.Get("Cache-Control"))
	}
	checkPage(t, resp.body)
	for _, word := range w.box.vault.words {
		if !strings.Contains(resp.body, "<li>"+word+"</li>") {
			t.Errorf("the page lacks the word %s", word)
		}
	}
	for _, path := range []string{"/wallet", "/wallet/words", "/node"} {
		if body := w.get(path).body; strings.Contains(body, "sausage") {
			t.Errorf("%s shows the words", path)
		}
	}
}

func TestWalletForms(t *testing.T) {
	for _, v := range []struct {
		action string
		fields url.Values
		check  func(walletChange) bool
	}{
		{walletConfirm, url.Values{"word": {"winner", "worth", "thank"}}, func(c walletChange) bool { return slices.Equal(c.Some, []string{"winner", "worth", "thank"}) }},
		{walletTest, url.Values{"words": {"legal winner"}}, func(c walletChange) bool { return c.Words == "legal winner" }},
		{walletWords, url.Values{"words": {"legal winner"}, "since": {"2026-11-01"}, "passphrase": {" secret "}}, func(c walletChange) bool {
			return c.Words == "legal winner" && c.Since.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) && c.Passphrase == "secret"
		}},
		{walletCopy, url.Values{"copy": {"2026-11-22-dmpool-practice.wallet"}}, func(c walletChange) bool { return c.Copy == "2026-11-22-dmpool-practice.wallet" }},
		{walletKeep, url.Values{"unlock": {"auto"}, "passphrase": {"secret"}}, func(c walletChange) bool { return c.Unlock == "auto" && c.Passphrase == "secret" }},
		{walletLimit, url.Values{"limit": {"300,000,000"}, "target": {" " + aliceAddress}}, func(c walletChange) bool {
			return c.Limit == 300_000_000 && c.Target == aliceAddress && !c.Draft
		}},
		{walletLimit, url.Values{"limit": {"1"}, "draft": {"1"}}, func(c walletChange) bool { return c.Draft }},
	} {
		t.Run(v.action, func(t *testing.T) {
			w := open(t, withWallet("confirmed"))
			w.signIn()
			path := "/wallet/" + v.action
			v.fields.Set("token", w.token())
			v.fields.Set("password", "Wrong password 1")
			resp := w.do(http.MethodPost, path, v.fields)
			if resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.vault.changes) != 0 || !strings.Contains(resp.body, "the password is wrong") {
				t.Fatalf("with a wrong password: status %d, %d changes", resp.StatusCode, len(w.box.vault.changes))
			}
			checkPage(t, resp.body)
			v.fields.Set("password", password)
			resp = w.do(http.MethodPost, path, v.fields)
			if resp.StatusCode != http.StatusSeeOther || len(w.box.vault.changes) != 1 || !v.check(w.box.vault.changes[0]) {
				t.Errorf("status %d, %+v", resp.StatusCode, w.box.vault.changes)
			}
			checkPage(t, w.get(resp.Header.Get("Location")).body)

			w.box.vault.err = refused("These are the words of another wallet.")
			resp = w.do(http.MethodPost, path, v.fields)
			if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "These are the words of another wallet.") || strings.Contains(resp.body, "legal winner") {
				t.Errorf("a refusal: status %d", resp.StatusCode)
			}
			checkPage(t, resp.body)
		})
	}
}

func TestWalletFormsThatSayNothing(t *testing.T) {
	w := open(t, withWallet("confirmed"))
	w.signIn()
	for path, field := range map[string][2]string{"/wallet/restore": {"since", "yesterday"}, "/wallet/limit": {"limit", "a lot"}} {
		resp := w.do(http.MethodPost, path, url.Values{"token": {w.token()}, "password": {password}, field[0]: {field[1]}})
		if resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.vault.changes) != 0 {
			t.Errorf("%s with %v: status %d", path, field, resp.StatusCode)
		}
	}
}

func TestCopyIsHandedOutForThePassword(t *testing.T) {
	w := open(t, withWallet("none"))
	w.signIn()
	form := url.Values{"token": {w.token()}}
	if resp := w.do(http.MethodPost, "/wallet/copy", form); resp.StatusCode != http.StatusUnprocessableEntity || w.box.vault.taken != 0 {
		t.Errorf("without the password: status %d, taken %d", resp.StatusCode, w.box.vault.taken)
	}
	form.Set("password", password)
	resp := w.do(http.MethodPost, "/wallet/copy", form)
	if resp.StatusCode != http.StatusOK || resp.body != "the copy" || resp.Header.Get("Cache-Control") != "no-store" ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="2026-11-22-dmpool-practice.wallet"` {
		t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
	}
}

// A copy of the wallet is taken behind token and password alone, and what is wrong
// with it stands on the page.
func TestUploadWallet(t *testing.T) {
	w := open(t, withWallet("none"))
	w.box.vault.page.Loaded = false
	w.signIn()
	file := strings.Repeat("wallet ", maxForm)
	send := func(parts ...string) answer {
		t.Helper()
		return w.do(http.MethodPost, walletUploadPath, nil, multipartForm(t, parts...))
	}
	for name, parts := range map[string][]string{
		"a wrong token":             {"token", "x", "password", password, "file", file},
		"the token behind the file": {"password", password, "file", file, "token", w.token()},
		"no file":                   {"token", w.token(), "password", password},
	} {
		if resp := send(parts...); resp.StatusCode != http.StatusForbidden || len(w.box.vault.changes) > 0 {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	resp := send("token", w.token(), "password", "wrong", "file", file)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "the password is wrong") || len(w.box.vault.changes) > 0 {
		t.Errorf("with a wrong password: status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)
	resp = send("token", w.token(), "passphrase", "secret", "password", password, "file", file)
	if resp.StatusCode != http.StatusSeeOther || w.box.vault.file != file || len(w.box.vault.changes) != 1 || w.box.vault.changes[0].Passphrase != "secret" {
		t.Errorf("status %d, %d bytes, %+v", resp.StatusCode, len(w.box.vault.file), w.box.vault.changes)
	}
	checkPage(t, w.get(resp.Header.Get("Location")).body)
	w.box.vault.err = refused("This is a wallet of the network main.")
	resp = send("token", w.token(), "password", password, "file", file)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "This is a wallet of the network main.") {
		t.Errorf("a refusal: status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)
}

// A sweep is asked for without the password, because it sends nothing; one that is
// refused says why on the page.
func TestSweepForm(t *testing.T) {
	w := open(t, withWallet("confirmed"))
	w.signIn()
	form := url.Values{"token": {w.token()}, "key": {"made up"}}
	if resp := w.do(http.MethodPost, "/wallet/sweep", form); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/payouts/42" {
		t.Errorf("status %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	form.Set("all", "1")
	w.do(http.MethodPost, "/wallet/sweep", form)
	if want := []string{"admin made up false", "admin made up true"}; !slices.Equal(w.box.vault.swept, want) {
		t.Errorf("asked for %q, want %q", w.box.vault.swept, want)
	}
	w.box.vault.err = refused("There is no cold address to move money to.")
	if resp := w.do(http.MethodPost, "/wallet/sweep", form); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "There is no cold address") {
		t.Errorf("refused: status %d", resp.StatusCode)
	}
	form.Del("key")
	if resp := w.do(http.MethodPost, "/wallet/sweep", form); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without a key: status %d", resp.StatusCode)
	}
}

// The pages say that a payout moves the pool's own money, and speak of no miner.
func TestPagesOfASweep(t *testing.T) {
	for _, state := range []string{"pending", "cancelled", "expired", "settled"} {
		g := newGolden()
		g.payout.Purpose, g.payout.State, g.payout.Miners = "sweep", state, 1
		g.payout.Items = g.payout.Items[:1]
		if state != "pending" {
			g.payout.Can = payoutCan{}
		}
		w := open(t, g)
		w.signIn()
		for _, path := range []string{"/payouts/42", "/payouts/42?lang=zh-Hans"} {
			page := w.get(path).body
			checkPage(t, page)
			for _, part := range []string{"miner is paid", "amounts are owed", "/accounts/" + g.payout.Items[0].Address, "照旧应付", "位矿工"} {
				if strings.Contains(page, part) {
					t.Errorf("%s, %s: the page says %q", path, state, part)
				}
			}
		}
		w.get("/payouts/42?lang=en")
		if page := w.get("/payouts/42").body; !strings.Contains(page, "moves the pool’s own money to the cold address") {
			t.Errorf("%s: the page does not say what it is", state)
		}
	}
}
