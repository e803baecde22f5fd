//go:build e2e

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/appliance"
)

// TestE2EWizardInBrowser is what a new owner does: starts the program in an empty
// directory, opens the page that it prints, answers, signs in and connects a
// miner. Over the home network and on the machine itself, with scripts and without;
// once the power goes out after each answer.
func TestE2EWizardInBrowser(t *testing.T) {
	bitcoind := needed(t, "DMPOOL_BITCOIND")
	program := buildProgram(t)
	for _, tc := range []struct {
		name, host, picture string
		scripts, mishaps    bool
	}{
		{"with scripts, over the network", "", "wizard", true, false},
		{"with scripts, on the machine", "localhost", "wizard-here", true, false},
		{"without scripts, over the network", "", "wizard-plain", false, false},
		{"without scripts, on the machine, killed after each answer", "localhost", "wizard-killed", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOwner(t, program, bitcoind, tc.host)
			o.factor = tc.mishaps
			if tc.scripts {
				o.open("/setup#code=" + o.code)
			} else {
				do(t, o.tab, "switch scripts off", emulation.SetScriptExecutionDisabled(true))
				o.open("/payouts")
				do(t, o.tab, "type the code", chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", strings.ToLower(o.code)))
			}
			o.setsUp(tc.picture, func() {
				if tc.mishaps {
					o.d.kill()
					o.serve(o.port)
					o.open("/setup")
				}
			})
			o.connects(tc.scripts)
		})
	}
}

// owner is a person with a browser before a box of their own.
type owner struct {
	t                 *testing.T
	program, bitcoind string
	box               string
	d                 *demoProcess
	tab               context.Context
	host, port        string
	code              string
	factor            bool     // they add a second factor in the set-up
	codes             []string // and have these recovery codes then
}

const ownersPassword = "Correct horse, battery!"

// newOwner starts the program and a browser. host is how the browser calls the
// box; empty: as the program says.
func newOwner(t *testing.T, program, bitcoind, host string) *owner {
	t.Helper()
	o := &owner{t: t, program: program, bitcoind: bitcoind, box: filepath.Join(t.TempDir(), "box"), tab: openBrowser(t), host: host}
	o.serve("0")
	printed := o.d.find(regexp.MustCompile(`(http://\S+)/setup$`))
	o.code = o.d.find(regexp.MustCompile(`claim code +(\S+)`))
	said, port, err := net.SplitHostPort(strings.TrimPrefix(printed, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	o.port = port
	if o.host == "" {
		o.host = said
	}
	return o
}

// serve starts the program; the port of the miners is found anew each time.
func (o *owner) serve(port string) {
	o.t.Helper()
	o.d = start(o.t, o.program, o.box, "serve", "--data-dir", o.box, "--bitcoind", o.bitcoind, "--http", ":"+port, "--stratum", "127.0.0.1:0")
	o.d.find(regexp.MustCompile(`claim code +(\S+)`))
}

func (o *owner) url(path string) string { return "http://" + net.JoinHostPort(o.host, o.port) + path }

func (o *owner) open(path string) {
	o.t.Helper()
	do(o.t, o.tab, "open "+path, chromedp.Navigate(o.url(path)), chromedp.WaitVisible("main h1"))
}

// setsUp answers every page. after runs between an answer and the next page.
func (o *owner) setsUp(picture string, after func()) {
	o.t.Helper()
	set := func(field, text string) chromedp.Action { return chromedp.SetValue(field, text, chromedp.ByQuery) }
	choose := func(id string) chromedp.Action { return chromedp.Click("#"+id, chromedp.ByQuery) }
	for _, step := range []struct {
		name string
		do   chromedp.Tasks
	}{
		{appliance.StepWelcome, nil},
		{appliance.StepStart, chromedp.Tasks{choose("start-new")}},
		{appliance.StepOperator, chromedp.Tasks{o.ticks("factor"), set("#user", "anna"), set("#password", ownersPassword), set("#again", ownersPassword)}},
		{appliance.StepCheck, nil},
		{appliance.StepNetwork, chromedp.Tasks{choose("network-practice")}},
		{appliance.StepNode, nil},
		{appliance.StepRules, chromedp.Tasks{choose("settlement-ledger"), set("#fee", "1")}},
		{appliance.StepWallet, chromedp.Tasks{choose("keys-node"), choose("unlock-auto")}},
		{appliance.StepAccess, chromedp.Tasks{set("#name", "Barn")}},
		{"review", nil},
	} {
		do(o.t, o.tab, "page "+step.name, chromedp.WaitVisible("body.page-setup_"+step.name+" .wizard-buttons .primary", chromedp.ByQuery))
		screenshot(o.t, o.tab, picture+"-"+step.name)
		next := "body:not(.page-setup_" + step.name + ") h1"
		do(o.t, o.tab, "answer "+step.name, append(step.do, chromedp.Click(".wizard-buttons .primary", chromedp.ByQuery), chromedp.WaitVisible(next, chromedp.ByQuery))...)
		if step.name != "review" {
			after()
		}
		if step.name == appliance.StepOperator && o.factor {
			o.addsFactor(picture, after)
		}
	}
}

// ticks is choosing the second factor, or nothing.
func (o *owner) ticks(id string) chromedp.Action {
	if !o.factor {
		return chromedp.Tasks{}
	}
	return chromedp.Click("#"+id, chromedp.ByQuery)
}

// addsFactor does what the page of the second factor asks for. The box stops between
// the secret and the recovery codes, which are made anew then.
func (o *owner) addsFactor(picture string, after func()) {
	o.t.Helper()
	var secret, list string
	page := "body.page-setup_factor "
	do(o.t, o.tab, "scan the secret", chromedp.WaitVisible(page+"#code", chromedp.ByQuery), chromedp.Text(".big-code", &secret))
	screenshot(o.t, o.tab, picture+"-factor")
	do(o.t, o.tab, "type its code", chromedp.SetValue("#code", authenticator(o.t, secret), chromedp.ByQuery),
		chromedp.Click(".wizard-buttons .primary", chromedp.ByQuery), chromedp.WaitVisible(page+"ol.codes", chromedp.ByQuery))
	after()
	do(o.t, o.tab, "make new codes", chromedp.Click("form[action='/setup/factor/codes'] button", chromedp.ByQuery),
		chromedp.WaitVisible(page+"ol.codes", chromedp.ByQuery), chromedp.Text("ol.codes", &list, chromedp.ByQuery))
	o.codes = strings.Fields(list)
	screenshot(o.t, o.tab, picture+"-codes")
	do(o.t, o.tab, "type one of them", chromedp.SetValue("#kept", o.codes[2], chromedp.ByQuery),
		chromedp.Click(".wizard-buttons .primary", chromedp.ByQuery), chromedp.WaitVisible("body.page-setup_check h1", chromedp.ByQuery))
}

// authenticator shows the code of now, as an app does (RFC 6238).
func authenticator(t *testing.T, secret string) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30)
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// connects signs in, and follows on the page how a miner's first share arrives.
func (o *owner) connects(live bool) {
	o.t.Helper()
	do(o.t, o.tab, "sign in", chromedp.WaitVisible("body.page-login #user"),
		chromedp.SendKeys("#user", "anna"), chromedp.SendKeys("#password", ownersPassword),
		chromedp.Click("form[action='/login'] button[type=submit]"))
	if o.factor {
		do(o.t, o.tab, "show the second factor", chromedp.WaitVisible("body.page-code #code", chromedp.ByQuery),
			chromedp.SendKeys("#code", o.codes[0], chromedp.ByQuery), chromedp.Click("form[action='/login/code'] button[type=submit]", chromedp.ByQuery))
	}
	do(o.t, o.tab, "how to connect", chromedp.WaitVisible("body.page-connect h1", chromedp.ByQuery))
	var name, text string
	do(o.t, o.tab, "name of the pool", chromedp.Text(".brand-name", &name))
	if name != "Barn" {
		o.t.Errorf("the pool is called %q", name)
	}
	do(o.t, o.tab, "where miners connect", chromedp.Text("main", &text, chromedp.ByQuery))
	port := regexp.MustCompile(`stratum\+tcp://[^\s:]+:(\d+)`).FindStringSubmatch(text)
	if port == nil {
		o.t.Fatalf("the connect page names no address:\n%s", text)
	}
	mineAs(o.t, o.program, "stratum+tcp://127.0.0.1:"+port[1], "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.first")
	deadline := time.Now().Add(2 * time.Minute)
	for !strings.Contains(text, "at work") {
		if time.Now().After(deadline) {
			o.t.Fatalf("no first share on the page:\n%s", text)
		}
		time.Sleep(time.Second)
		if !live {
			o.open("/connect")
		}
		do(o.t, o.tab, "first share", chromedp.Text("#live-seen", &text))
	}
	screenshot(o.t, o.tab, "connected")
	o.isOver()
}

// isOver makes sure that nothing of the wizard is left.
func (o *owner) isOver() {
	o.t.Helper()
	for _, path := range []string{"/setup", "/setup/welcome", "/setup/operator", "/setup/review"} {
		req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.url(path), http.NoBody)
		if err != nil {
			o.t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			o.t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			o.t.Errorf("%s after the set-up: %s", path, resp.Status)
		}
	}
	for _, file := range []string{"setup.db", "setup.db-wal", "setup.key", "claim-code"} {
		if _, err := os.Stat(filepath.Join(o.box, file)); err == nil {
			o.t.Errorf("%s is still there", file)
		}
	}
	out, err := exec.CommandContext(o.t.Context(), o.program, "claim-code", "--data-dir", o.box).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "set up already") {
		o.t.Errorf("claim-code after the set-up: %v, %s", err, out)
	}
}
