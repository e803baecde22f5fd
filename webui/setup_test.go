package webui

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// openSetup makes a running wizard with a browser in front of it.
func openSetup(t *testing.T) (*visit, *appliance.Wizard, string) {
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
	handler, err := NewSetup(w, Options{Logger: slog.New(slog.DiscardHandler), Hosts: []string{"pool.lan"}})
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

// answers are what a person on the practice chain says, step by step.
var goodAnswers = [][]string{
	{"start", "start", "new"},
	{"operator", "user", "anna", "password", password, "again", password},
	{"check"},
	{"network", "network", "practice"},
	{"node", "node", "own", "prune", "auto"},
	{"rules", "settlement", "ledger", "fee", "1.5", "window", "2", "min_payout", "100,000"},
	{"wallet", "keys", "node", "unlock", "auto"},
	{"access", "name", "Barn", "time_zone", "Asia/Shanghai"},
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
			for _, a := range goodAnswers {
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
			if got := w.say("review"); got.Header.Get("Location") != "/login?next=/connect" {
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
