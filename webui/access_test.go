package webui

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// from sends a request, as a browser with the visit's cookies, from an address.
func (w *visit) from(ip, method, path string, form url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "http://192.168.1.50:8080"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = net.JoinHostPort(ip, "50000")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	here, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range w.http.Jar.Cookies(here) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	w.site.guarded(w.site.register()).ServeHTTP(rec, r)
	return rec
}

func TestNear(t *testing.T) {
	g := newGolden()
	g.hosts = []string{"192.168.1.50", "198.51.100.7", "2001:db8:1:2::50"}
	s := mustSite(t, g)
	for ip, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "192.168.7.7": true, "10.1.2.3": true, "172.16.0.9": true, "fd00::9": true, "fe80::9": true,
		"198.51.100.7":       true, // this machine itself
		"198.51.100.8":       false,
		"2001:db8:1:2::beef": true, // the same home
		"2001:db8:1:3::beef": false,
		"203.0.113.9":        false,
		"100.64.0.9":         false, // other customers of the provider
	} {
		if got := s.isNear(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v, want %v", ip, got, want)
		}
	}
	if s.isNear(netip.Addr{}) {
		t.Error("an address that cannot be read is near")
	}
}

// From the internet no route of an operator answers, no way to sign in, and no
// session counts, unless the operator has allowed it.
func TestOperatorsComeFromPrivateNetworks(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	const internet = "203.0.113.9"
	for _, rt := range w.site.routes() {
		if rt.access == anyone || rt.access == public {
			continue
		}
		method, path := fillIn(rt.pattern)
		w.clock.add(60e9) // a full bucket
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{"token": {w.token()}, "password": {password}}
		}
		resp := w.from(internet, method, path, form)
		if resp.Code != http.StatusForbidden {
			t.Errorf("%s from the internet: status %d, want 403", rt.pattern, resp.Code)
		}
	}
	if w.box.did() {
		t.Error("something was done for somebody in the internet")
	}
	refusal := w.from(internet, http.MethodGet, "/login", nil).Body.String()
	checkPage(t, refusal)
	if !strings.Contains(refusal, w.words("problem.text.away")) {
		t.Error("the refusal does not say why")
	}
	if body := w.from(internet, http.MethodGet, "/connect", nil).Body.String(); strings.Contains(body, w.token()) || !strings.Contains(body, `class="public`) {
		t.Error("a session counts on a page for everybody")
	}
	w.box.settings.AdminFrom = pool.FromAnywhere
	if got := w.from(internet, http.MethodGet, "/", nil).Code; got != http.StatusOK {
		t.Errorf("allowed: status %d", got)
	}
}

// Nobody shuts the door behind which they stand.
func TestLockingOneselfOut(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.settings.AdminFrom = pool.FromAnywhere
	form := url.Values{"token": {w.token()}, "rev": {"7"}, "admin_from": {pool.FromPrivate}, "password": {password}}
	if resp := w.from("203.0.113.9", http.MethodPost, "/settings", form); resp.Code != http.StatusUnprocessableEntity || w.box.settings.AdminFrom != pool.FromAnywhere {
		t.Errorf("from the internet: status %d, now %s", resp.Code, w.box.settings.AdminFrom)
	}
	if resp := w.from("192.168.1.9", http.MethodPost, "/settings", form); resp.Code != http.StatusSeeOther || w.box.settings.AdminFrom != pool.FromPrivate {
		t.Errorf("from home: status %d, now %s", resp.Code, w.box.settings.AdminFrom)
	}
}

// When the operator wants that, strangers learn nothing of a single miner.
func TestObserverPagesOff(t *testing.T) {
	w := open(t, newGolden())
	w.box.settings.ObserverPages = false
	one := []string{
		"/observer", "/observer/" + aliceAddress, "/observer/" + aliceAddress + "/hashrate.csv", "/observer/" + aliceAddress + "/statement.csv",
		"/observer/" + aliceAddress + "/blocks/" + w.box.block.Hash, "/observer/" + aliceAddress + "/payouts/40", privatePath + linkToken, privatePath + linkToken + "/hashrate.csv",
	}
	api := []string{
		"/api/observer/" + aliceAddress, "/api/observer/" + aliceAddress + "/shares", "/api/observer/" + aliceAddress + "/payouts", "/api/observer/" + aliceAddress + "/hashrate",
		"/api/client/" + aliceAddress, "/api/client/" + aliceAddress + "/chart", "/api/client/" + aliceAddress + "/bitaxe1", "/api/client/" + aliceAddress + "/bitaxe1/a1000003", "/users/" + aliceAddress,
	}
	for _, path := range one {
		if resp := w.get(path); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login?next=") {
			t.Errorf("%s for strangers: status %d", path, resp.StatusCode)
		}
	}
	for _, path := range api {
		for name, v := range map[string]*visit{"with the pages": w, "on its own port": w.visitPort()} {
			if resp := v.get(path); resp.StatusCode != http.StatusUnauthorized || strings.Contains(resp.body, "bitaxe1") {
				t.Errorf("%s %s for strangers: status %d", path, name, resp.StatusCode)
			}
		}
	}
	for _, path := range []string{"/api/v1/pool", "/api/pool", "/pool/pool.status", "/connect"} {
		if resp := w.get(path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	if strings.Contains(w.get("/connect").body, `href="/observer"><`) {
		t.Error("the menu leads strangers to pages that are not for them")
	}
	w.signIn()
	for _, path := range append(one, api...) {
		if resp := w.get(path); resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), "/login") {
			t.Errorf("%s for an operator: status %d", path, resp.StatusCode)
		}
	}
}
