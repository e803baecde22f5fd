package webui

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// openSetup makes a running wizard with a browser in front of it.
func openSetup(t *testing.T) (*visit, *appliance.Wizard, string) {
	t.Helper()
	return openSetupWith(t, Options{})
}

func openSetupWith(t *testing.T, o Options) (*visit, *appliance.Wizard, string) {
	t.Helper()
	dir := t.TempDir()
	w, err := appliance.NewWizard(t.Context(), appliance.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}, "http://192.168.1.50:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Logger, o.Hosts = slog.New(slog.DiscardHandler), []string{"pool.lan"}
	handler, err := NewSetup(w, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	v := &visit{t: t, url: server.URL, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return v, w, dir
}

// claim types the code.
func (w *visit) claim(dir string) {
	w.t.Helper()
	code, err := appliance.ReadClaimCode(w.t.Context(), dir)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := w.do(http.MethodPost, "/setup/welcome", url.Values{"code": {strings.ToLower(code.Code)}}); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/setup/start" {
		w.t.Fatalf("claim: %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
}

// say sends the form of a step.
func (w *visit) say(step string, pairs ...string) answer {
	w.t.Helper()
	form := url.Values{"token": {hidden(w.t, w.get("/setup/"+step).body, "token")}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return w.do(http.MethodPost, "/setup/"+step, form)
}

// goodAnswers are what a person on the practice chain says, step by step.
func goodAnswers() [][]string {
	return [][]string{
		{"start", "start", "new"},
		{"operator", "user", "anna", "password", password, "again", password},
		{"check"},
		{"network", "network", "practice"},
		{"node", "node", "own", "prune", "auto"},
		{"rules", "settlement", "ledger", "fee", "1.5", "window", "2", "min_payout", "100,000"},
		{"wallet", "keys", "node", "unlock", "auto"},
		{"access", "name", "Barn", "time_zone", "Asia/Shanghai"},
	}
}

func TestSetupFromWelcomeToLogin(t *testing.T) {
	for _, lang := range []string{english, chinese} {
		t.Run(lang, func(t *testing.T) {
			w, wizard, dir := openSetup(t)
			inLanguage := func(r *http.Request) { r.Header.Set("Accept-Language", lang) }
			if got := w.get("/payouts"); got.Header.Get("Location") != "/setup" {
				t.Errorf("another page: %d to %q", got.StatusCode, got.Header.Get("Location"))
			}
			checkPage(t, w.get("/setup/welcome", inLanguage).body)
			w.claim(dir)
			for _, a := range goodAnswers() {
				page := w.get("/setup/"+a[0], inLanguage)
				if page.StatusCode != http.StatusOK {
					t.Fatalf("%s: %d", a[0], page.StatusCode)
				}
				checkPage(t, page.body)
				if got := w.say(a[0], a[1:]...); got.StatusCode != http.StatusSeeOther {
					t.Fatalf("%s: %d %s", a[0], got.StatusCode, got.body)
				}
			}
			review := w.get("/setup/review", inLanguage)
			checkPage(t, review.body)
			for _, want := range []string{"anna", "Barn", "Asia/Shanghai", "1.5", w.url} {
				if !strings.Contains(review.body, want) {
					t.Errorf("the review does not show %q", want)
				}
			}
			if got := w.say("review"); got.Header.Get("Location") != "/login?next=%2Fconnect" {
				t.Fatalf("finish: %d to %q, %s", got.StatusCode, got.Header.Get("Location"), got.body)
			}
			select {
			case <-wizard.Ended():
			default:
				t.Error("the wizard has not ended")
			}
			if _, err := appliance.ReadClaimCode(t.Context(), dir); !errors.Is(err, appliance.ErrSetUp) {
				t.Errorf("claim code after the set-up: %v", err)
			}
		})
	}
}

// What is wrong comes back with a sentence, and with all that was typed but the
// secrets.
func TestSetupGivesBackWhatWasTyped(t *testing.T) {
	const secret = "a Secret of mine"
	for _, test := range []struct {
		name, step string
		typed      []string
		want       string
	}{
		{"passwords differ", "operator", []string{"user", "berta", "password", secret, "again", "other"}, "The two passwords differ"},
		{"short password", "operator", []string{"user", "berta", "password", "S 1", "again", "S 1"}, "Password has 3 characters"},
		{"name of the program", "operator", []string{"user", "chain", "password", secret, "again", secret}, "stands for a part of the program"},
		{"no network", "network", []string{"network", "moon"}, "is not known"},
		{"node without login", "node", []string{"node", "external", "url", "http://127.0.0.1:1"}, "needs a login"},
		{"node that is away", "node", []string{"node", "external", "url", "http://127.0.0.1:1", "node_user", "rpc", "node_password", secret}, "does not answer"},
		{"fee in words", "rules", []string{"settlement", "ledger", "fee", "much", "window", "2.5", "min_payout", "100"}, "Pool fee: Type a number"},
		{"fee too high", "rules", []string{"settlement", "direct", "fee", "11", "window", "2", "min_payout", "5000"}, "pool fee is 1100"},
		{"no settlement", "rules", []string{"settlement", "pps", "fee", "1", "window", "2", "min_payout", "5000"}, "not known"},
		{"passphrases differ", "wallet", []string{"keys", "words", "unlock", "ask", "passphrase", secret, "passphrase_again", "x"}, "The two passphrases differ"},
		{"short passphrase", "wallet", []string{"keys", "words", "unlock", "ask", "passphrase", "short", "passphrase_again", "short"}, "too short"},
		{"pool without name", "access", []string{"name", " ", "time_zone", "UTC"}, "needs a name"},
		{"long name", "access", []string{"name", strings.Repeat("池", 11), "time_zone", "UTC"}, "33 bytes"},
		{"time zone", "access", []string{"name", hostile, "time_zone", "Mars/Base"}, "Mars/Base"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DMPOOL_BITCOIND", "") // which would answer for the node
			w, wizard, dir := openSetup(t)
			w.claim(dir)
			for _, a := range goodAnswers() {
				if a[0] == test.step {
					break
				}
				if a[0] == "network" {
					a[2] = "signet" // which asks about everything
				}
				w.say(a[0], a[1:]...)
			}
			got := w.say(test.step, test.typed...)
			if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.body, test.want) {
				t.Fatalf("status %d, want %q in %s", got.StatusCode, test.want, got.body)
			}
			checkPage(t, got.body)
			if strings.Contains(got.body, secret) {
				t.Error("a secret came back")
			}
			for i := 1; i < len(test.typed); i += 2 {
				if v := test.typed[i]; v != secret && v != hostile && strings.TrimSpace(v) != "" && len(v) > 5 && v != "passphrase" && !strings.Contains(got.body, v) {
					t.Errorf("%q is lost", v)
				}
			}
			if d, err := wizard.Draft(t.Context()); err != nil || d.Next() != test.step {
				t.Errorf("next is %q, %v", d.Next(), err)
			}
		})
	}
}

// A button that only looks keeps nothing and says what the typed rules mean.
func TestSetupLooksAtRules(t *testing.T) {
	w, wizard, dir := openSetup(t)
	w.claim(dir)
	for _, a := range goodAnswers()[:5] {
		w.say(a[0], a[1:]...)
	}
	got := w.say("rules", "settlement", "ledger", "fee", "7", "window", "0.5", "min_payout", "2000", "look", "1")
	for _, want := range []string{"The pool keeps 7.00 %", "less than one block", "Small payouts"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if d, err := wizard.Draft(t.Context()); err != nil || d.Next() != "rules" {
		t.Errorf("next is %q, %v", d.Next(), err)
	}
}

// Nobody gets past the first page without the code, and nobody further than the
// answers go.
func TestSetupIsClosed(t *testing.T) {
	w, _, dir := openSetup(t)
	steps := slices.Concat(appliance.WizardSteps()[1:], []string{stepReview})
	for _, step := range steps {
		if got := w.get("/setup/" + step); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/setup/welcome" {
			t.Errorf("%s without the code: %d to %s", step, got.StatusCode, got.Header.Get("Location"))
		}
		if got := w.do(http.MethodPost, "/setup/"+step, url.Values{"token": {setupToken("")}}); got.StatusCode != http.StatusForbidden {
			t.Errorf("posting %s without the code: %d", step, got.StatusCode)
		}
	}
	wrong := w.do(http.MethodPost, "/setup/welcome", url.Values{"code": {"00000-00000"}})
	if wrong.StatusCode != http.StatusForbidden || !strings.Contains(wrong.body, "This is not the claim code") {
		t.Errorf("wrong code: %d", wrong.StatusCode)
	}
	checkPage(t, wrong.body)
	w.claim(dir)
	for _, step := range steps[1:] {
		if got := w.get("/setup/" + step); got.Header.Get("Location") != "/setup/start" {
			t.Errorf("%s before its time: %d to %s", step, got.StatusCode, got.Header.Get("Location"))
		}
	}
	for name, form := range map[string]url.Values{"no token": {"start": {"new"}}, "another's token": {"token": {setupToken("x")}}} {
		if got := w.do(http.MethodPost, "/setup/start", form); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := w.do(http.MethodPost, "/setup/start", url.Values{}, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }); got.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", got.StatusCode)
	}
	if got := w.get("/setup/start", func(r *http.Request) { r.Host = "evil.example" }); got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %d", got.StatusCode)
	}
}

// After five wrong codes in a minute the next has to wait, and says so.
func TestSetupGuessing(t *testing.T) {
	w, _, dir := openSetup(t)
	var got answer
	for range 6 {
		got = w.do(http.MethodPost, "/setup/welcome", url.Values{"code": {"00000-00000"}})
	}
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "Too many tries") {
		t.Errorf("sixth code: %d", got.StatusCode)
	}
	checkPage(t, got.body)
	code, err := appliance.ReadClaimCode(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.do(http.MethodPost, "/setup/welcome", url.Values{"code": {code.Code}}); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("even the right one: %d", got.StatusCode)
	}
}

// The browser that types the code last holds the set-up; the other is told.
func TestSetupTakenOver(t *testing.T) {
	w, _, dir := openSetup(t)
	w.claim(dir)
	token := hidden(t, w.get("/setup/start").body, "token")
	other := *w
	jar, _ := cookiejar.New(nil)
	other.http = &http.Client{Jar: jar, CheckRedirect: w.http.CheckRedirect}
	other.claim(dir)
	got := w.do(http.MethodPost, "/setup/start", url.Values{"token": {token}, "start": {"new"}})
	if got.StatusCode != http.StatusForbidden || !strings.Contains(got.body, "does not hold the set-up") {
		t.Errorf("the first browser: %d", got.StatusCode)
	}
	checkPage(t, got.body)
}

// Who comes from outside the home network is turned away, whatever the headers say.
func TestSetupFromAway(t *testing.T) {
	_, wizard, _ := openSetup(t)
	proxies := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	handler, err := NewSetup(wizard, Options{Logger: slog.New(slog.DiscardHandler), Proxies: proxies})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{
		"203.0.113.9:1234": http.StatusForbidden, "[2001:db8::1]:1234": http.StatusForbidden, "100.64.0.1:1": http.StatusForbidden,
		"192.168.1.9:1234": http.StatusOK, "10.1.2.3:1": http.StatusOK, "127.0.0.1:1": http.StatusOK, "169.254.3.4:1": http.StatusOK,
		"[fe80::1%eth0]:1": http.StatusOK, "[fd00::1]:1": http.StatusOK, "[::ffff:192.168.1.9]:1": http.StatusOK,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost/setup/welcome", http.NoBody)
			r.RemoteAddr = address
			r.Header.Set("X-Forwarded-For", "192.168.1.9")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			if away := answer.Code == http.StatusForbidden && strings.Contains(answer.Body.String(), "Only from the home network"); away != (want == http.StatusForbidden) {
				t.Errorf("%s from %s: %d", method, address, answer.Code)
			}
		}
	}
}

// A box that is not set up says so to programs, with the way on.
func TestSetupForPrograms(t *testing.T) {
	w, _, _ := openSetup(t)
	health := w.get("/api/health")
	if health.StatusCode != http.StatusServiceUnavailable || !strings.Contains(health.body, "http://192.168.1.50:8080/setup") {
		t.Errorf("health: %d %s", health.StatusCode, health.body)
	}
	if got := w.get("/api/observer/" + aliceAddress); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("API: %d, %s", got.StatusCode, got.Header.Get("Content-Type"))
	}
	if got := w.do(http.MethodPost, "/login", url.Values{}); got.StatusCode != http.StatusNotFound {
		t.Errorf("login: %d", got.StatusCode)
	}
	if got := w.get("/setup"); got.Header.Get("Location") != "/setup/welcome" || got.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the beginning: %d %v", got.StatusCode, got.Header)
	}
}

// A box that is set up has no wizard.
func TestNoSetupAfterwards(t *testing.T) {
	w := open(t, newGolden())
	for _, path := range []string{"/setup", "/setup/welcome", "/setup/operator", "/setup/review"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if got := w.do(method, path, url.Values{}); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, got.StatusCode)
			}
		}
	}
}
