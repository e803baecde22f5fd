package webui

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// settingsForm is the settings page as a browser would send it back.
func settingsForm(w *visit, change map[string]string) url.Values {
	w.t.Helper()
	now, rev, err := w.box.Settings(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	form := url.Values{"token": {w.token()}, "rev": {strconv.FormatInt(rev, 10)}}
	for _, g := range newSettingsView(now, rev, false).Groups {
		for _, f := range g.Fields {
			form.Set(f.Key, f.Value)
		}
	}
	for key, value := range change {
		form.Set(key, value)
	}
	return form
}

// inputs are the values of all inputs of a page, as a browser would send them.
func inputs(t *testing.T, html string) url.Values {
	t.Helper()
	form := url.Values{}
	for _, e := range parseHTML(t, html) {
		_, checked := e.attrs["checked"]
		if e.name == "input" && (e.attrs["type"] != "radio" || checked) {
			form.Set(e.attrs["name"], e.attrs["value"])
		}
	}
	return form
}

// What the page shows is what it saves: sent back as it came it changes nothing.
func TestSettingsFormIsTheSettings(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.settings.TrustedProxies, w.box.settings.PayoutFeeRate, w.box.settings.FeeBps, w.box.settings.WindowMilli = "10.0.0.0/8", "4.1", 150, 2500
	before := w.box.settings
	form := inputs(t, w.get("/settings").body)
	if resp := w.do(http.MethodPost, "/settings", form); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/settings?saved" {
		t.Errorf("status %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if w.box.settings != before || w.box.rev != 7 {
		t.Errorf("settings %+v, revision %d; want %+v, 7", w.box.settings, w.box.rev, before)
	}
}

func TestSettingsWithoutMoneyAreSavedAtOnce(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	resp := w.do(http.MethodPost, "/settings", settingsForm(w, map[string]string{"name": "Home", "payout_every_secs": "12 h", "min_payout_sat": "50,000"}))
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d: %s", resp.StatusCode, resp.body)
	}
	if s := w.box.settings; s.Name != "Home" || s.PayoutEvery != 12*3600 || s.MinPayoutSat != 50_000 {
		t.Errorf("settings %+v", s)
	}
	if !strings.Contains(w.get("/settings?saved").body, "Saved and in force") {
		t.Error("the page does not say that it was saved")
	}
}

// A change that touches money is shown as it was and will be, and is made only
// when that page comes back with the password.
func TestSettingsWithMoneyAreAskedTwice(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	review := w.do(http.MethodPost, "/settings", settingsForm(w, map[string]string{"fee_bps": "1.5", "name": "Home"}))
	checkPage(t, review.body)
	for _, want := range []string{"0 %", "1.5 %", "touches money", "The miners share the rest", "DMPool", "Home"} {
		if !strings.Contains(review.body, want) {
			t.Errorf("the review does not show %q", want)
		}
	}
	if review.StatusCode != http.StatusOK || w.box.rev != 7 {
		t.Fatalf("review: status %d, revision %d", review.StatusCode, w.box.rev)
	}

	form := inputs(t, review.body)
	for name, typed := range map[string]string{"none": "", "wrong": "guess"} {
		form.Set("password", typed)
		again := w.do(http.MethodPost, "/settings", form)
		checkPage(t, again.body)
		if again.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(again.body, "the password is wrong") || w.box.rev != 7 {
			t.Errorf("password %s: status %d, revision %d", name, again.StatusCode, w.box.rev)
		}
	}
	form.Set("password", password)
	if resp := w.do(http.MethodPost, "/settings", form); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("with the password: status %d", resp.StatusCode)
	}
	want := pool.DefaultSettings("practice")
	want.FeeBps, want.Name, want.Metrics = 150, "Home", pool.MetricsToken
	if w.box.settings != want {
		t.Errorf("settings %+v, want %+v", w.box.settings, want)
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change map[string]string
		status int
		says   string
	}{
		"another tab was faster":   {map[string]string{"rev": "6", "name": "Home"}, http.StatusConflict, "nothing was done"},
		"no revision":              {map[string]string{"rev": ""}, http.StatusBadRequest, "Open the settings again"},
		"no number":                {map[string]string{"fee_bps": "two"}, http.StatusUnprocessableEntity, `Pool fee</a>: Type a number.`},
		"too many decimals":        {map[string]string{"fee_bps": "1.555"}, http.StatusUnprocessableEntity, "at most 2 decimals"},
		"negative":                 {map[string]string{"min_payout_sat": "-5"}, http.StatusUnprocessableEntity, `Minimum payout</a>: Type a number.`},
		"fee of everything":        {map[string]string{"fee_bps": "100"}, http.StatusUnprocessableEntity, "must be between 0 and 1000"},
		"unknown settlement":       {map[string]string{"settlement": "mine"}, http.StatusUnprocessableEntity, "Choose one of these"},
		"two faults, two messages": {map[string]string{"name": "", "min_payout_sat": "5"}, http.StatusUnprocessableEntity, "Pool name has 0 bytes"},
		"hostile text stays text":  {map[string]string{"trusted_proxies": hostile}, http.StatusUnprocessableEntity, "&lt;script&gt;"},
		"time without a unit":      {map[string]string{"payout_every_secs": "24"}, http.StatusUnprocessableEntity, "such as 30 min"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			resp := w.do(http.MethodPost, "/settings", settingsForm(w, tc.change))
			if resp.StatusCode != tc.status || !strings.Contains(resp.body, tc.says) {
				t.Errorf("status %d, want %d; says %q: %v", resp.StatusCode, tc.status, tc.says, strings.Contains(resp.body, tc.says))
			}
			checkPage(t, resp.body)
			if w.box.rev != 7 {
				t.Error("something was saved")
			}
		})
	}
}

// Which changes ask for the password is a table, too: those that take from
// miners or keep what is theirs, and limits that let more through.
func TestGraveChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*pool.Settings)
		grave  bool
	}{
		"fee up":                    {func(s *pool.Settings) { s.FeeBps = 1 }, true},
		"donation":                  {func(s *pool.Settings) { s.DonationBps = 1 }, true},
		"window":                    {func(s *pool.Settings) { s.WindowMilli++ }, true},
		"underfill":                 {func(s *pool.Settings) { s.Underfill = "hold" }, true},
		"a higher minimum payout":   {func(s *pool.Settings) { s.MinPayoutSat++ }, true},
		"a lower minimum payout":    {func(s *pool.Settings) { s.MinPayoutSat-- }, false},
		"fee rate":                  {func(s *pool.Settings) { s.PayoutFeeRate = "3" }, false},
		"name":                      {func(s *pool.Settings) { s.Name = "x" }, false},
		"first port":                {func(s *pool.Settings) { s.SmallPort = 3335 }, false},
		"nothing changed":           {func(*pool.Settings) {}, false},
		"more for the pool to hold": {func(s *pool.Settings) { s.MinOutputSat++ }, true},
		"less for the pool to hold": {func(s *pool.Settings) { s.MinOutputSat-- }, false},
	} {
		was := pool.DefaultSettings("main")
		is := was
		tc.change(&is)
		list, grave := changes(was, is)
		if grave != tc.grave || len(list) > 1 || (len(list) == 0) != (was == is) {
			t.Errorf("%s: %d changes, grave %v, want %v", name, len(list), grave, tc.grave)
		}
	}
	for _, tc := range []struct {
		was, is int64
		want    bool
	}{{0, 5, false}, {5, 0, true}, {5, 6, true}, {6, 5, false}} {
		if got := raised(tc.was, tc.is); got != tc.want {
			t.Errorf("raised(%d, %d) = %v", tc.was, tc.is, got)
		}
	}
}

// Every line of the table is a setting of the pool, and every setting has one.
func TestSettingsTable(t *testing.T) {
	text, err := json.Marshal(pool.DefaultSettings("main"))
	if err != nil {
		t.Fatal(err)
	}
	known := decode(t, string(text))
	var seen []string
	for _, g := range settingsGroups() {
		for _, f := range g.Fields {
			s := pool.DefaultSettings("main")
			if _, ok := known[f.Key]; !ok || slices.Contains(seen, f.Key) || !inEnglish.has("settings.label."+f.Key) || !inEnglish.has("settings.effect."+f.Effect) {
				t.Errorf("%s is no setting, or twice, or has no words", f.Key)
			}
			for _, choice := range f.unit.Options {
				if !inEnglish.has("settings.option." + f.Key + "_" + choice) {
					t.Errorf("%s: the choice %s has no words", f.Key, choice)
				}
			}
			seen = append(seen, f.Key)
			text := f.unit.write(f.at(&s))
			fresh := s
			if err := f.unit.read(text, f.at(&fresh)); err != nil || fresh != s {
				t.Errorf("%s: %q is read as something else: %v", f.Key, text, err)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !slices.Contains(seen, key) {
			t.Errorf("setting %s is not on the page", key)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		text   string
		places int
		want   int64
		back   string
	}{
		{"1.5", 2, 150, "1.5"},
		{"0", 2, 0, "0"},
		{"0.01", 2, 1, "0.01"},
		{"10.00", 2, 1000, "10"},
		{"2", 3, 2000, "2"},
		{"1,000,000", 0, 1_000_000, "1,000,000"},
		{"1 234 567.5", 1, 12_345_675, "1,234,567.5"},
	} {
		n, err := readFixed(tc.text, tc.places)
		if err != nil || n != tc.want || writeFixed(n, tc.places) != tc.back {
			t.Errorf("readFixed(%q, %d) = %d, %v, written %q; want %d, %q", tc.text, tc.places, n, err, writeFixed(n, tc.places), tc.want, tc.back)
		}
	}
	for _, text := range []string{"", ".", ".5", "1.2.3", "-1", "+1", "1e3", "0x10", "99999999999999999999", "one"} {
		if n, err := readFixed(text, 2); err == nil {
			t.Errorf("readFixed(%q) = %d, want an error", text, n)
		}
	}
	for text, want := range map[string]int64{"30 s": 30, "90 min": 5400, "24h": 86400, "7 days": 604800, "1 day": 86400, " 2 d ": 172800, "0 s": 0} {
		if n, err := readInterval(text); err != nil || n != want {
			t.Errorf("readInterval(%q) = %d, %v, want %d", text, n, err, want)
		}
	}
	for seconds, want := range map[int64]string{0: "0 s", 30: "30 s", 90: "90 s", 5400: "90 min", 3600: "1 h", 86400: "24 h", 172800: "2 days", 90000: "25 h"} {
		if got := writeInterval(seconds); got != want {
			t.Errorf("writeInterval(%d) = %q, want %q", seconds, got, want)
		}
	}
	for _, text := range []string{"", "h", "1", "1 week", "-1 h", "1.5 h", "99999999999 h"} {
		if n, err := readInterval(text); err == nil {
			t.Errorf("readInterval(%q) = %d, want an error", text, n)
		}
	}
}

// Whatever lets more people in, or see more, is asked about like money.
func TestSettingsThatOpenAreAskedTwice(t *testing.T) {
	for key, effect := range map[string]string{
		"public_api_cors": "any web site", "compatible_api": "everybody who can reach this box", "observer_pages": "everybody who can reach this box", "admin_from": "At once", "metrics": "At once",
	} {
		w := open(t, newGolden())
		w.signIn()
		s := &w.box.settings
		s.PublicAPICORS, s.CompatibleAPI, s.ObserverPages, s.AdminFrom = false, false, false, pool.FromPrivate
		before := *s
		value := "yes"
		switch key {
		case "admin_from":
			value = pool.FromAnywhere
		case "metrics":
			value = pool.MetricsLocal
		}
		form := settingsForm(w, map[string]string{key: value})
		review := w.do(http.MethodPost, "/settings", form)
		checkPage(t, review.body)
		if review.StatusCode != http.StatusOK || *s != before || !strings.Contains(review.body, "about who may look") || !strings.Contains(review.body, effect) {
			t.Errorf("%s: status %d, settings %+v", key, review.StatusCode, *s)
		}
		form.Set("password", password)
		if resp := w.do(http.MethodPost, "/settings", form); resp.StatusCode != http.StatusSeeOther || *s == before {
			t.Errorf("%s with the password: status %d", key, resp.StatusCode)
		}
		if key == "admin_from" || key == "metrics" {
			continue
		}
		if resp := w.do(http.MethodPost, "/settings", settingsForm(w, map[string]string{key: "no"})); resp.StatusCode != http.StatusSeeOther || *s != before {
			t.Errorf("%s is not switched off at once: status %d", key, resp.StatusCode)
		}
	}
}
