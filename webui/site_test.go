package webui

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// fillIn fills the wildcards of a route's pattern.
func fillIn(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{$}", "", "{hash}", strings.Repeat("0", 64), "{id}", "42", "{name}", "upkeep", "{address}", aliceAddress, "{file}", "app.css", "{height}", "924980", "{worker}", "bitaxe1", "{tag}", "wifi", "{session}", "a1000003", "{place}", "disk", "{key}", "worker_offline").Replace(path)
}

// A stranger gets nothing of what belongs to operators, on any route.
func TestEveryRouteWithoutSession(t *testing.T) {
	for _, rt := range mustSite(t, newGolden()).routes() {
		if rt.access != operators && rt.access != readers && rt.access != monitors {
			continue
		}
		t.Run(rt.pattern, func(t *testing.T) {
			w := open(t, newGolden())
			method, p := fillIn(rt.pattern)
			var form url.Values
			if method == http.MethodPost {
				form = url.Values{"token": {"guess"}}
			}
			resp := w.do(method, p, form)
			switch {
			case strings.HasPrefix(p, "/api/"), p == metricsPath:
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get(tokenHeader) != "" {
					t.Errorf("%s without a session: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
				}
			case method == http.MethodGet && (resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login?next=")):
				t.Errorf("%s without a session: status %d, Location %q; want a redirect to the login", p, resp.StatusCode, resp.Header.Get("Location"))
			case method == http.MethodPost && resp.StatusCode != http.StatusUnauthorized:
				t.Errorf("%s without a session: status %d, want 401", p, resp.StatusCode)
			}
			if stream := w.do(method, p, form, func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") }); stream.StatusCode != http.StatusUnauthorized {
				t.Errorf("stream of %s without a session: status %d, want 401", p, stream.StatusCode)
			}
			if len(w.box.approved)+len(w.box.cancelled)+len(w.box.ran)+len(w.box.drafted)+len(w.box.ruled)+len(w.box.changed)+len(w.box.corrected)+len(w.box.imported)+len(w.box.moved) > 0 || w.box.rev != 7 {
				t.Error("something was done without a session")
			}
		})
	}
}

// Public routes never start a session, and set no cookie but the login form's own.
func TestPublicRoutesSetNoCookie(t *testing.T) {
	w := open(t, newGolden())
	for _, rt := range w.site.routes() {
		method, p := fillIn(rt.pattern)
		if rt.access != anyone || method != http.MethodGet {
			continue
		}
		resp := w.get(p)
		if cookies := resp.Header.Values("Set-Cookie"); len(cookies) > 0 && p != "/login" {
			t.Errorf("%s sets the cookies %v", p, cookies)
		}
		if resp.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}
	if got := countSessions(t, w); got != 0 {
		t.Errorf("%d sessions in the table, want none", got)
	}
}

// A POST of an operator without the session's form token changes nothing.
func TestEveryPostNeedsItsToken(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	other := w.token()
	w.signInAgain() // a new session has a new token
	for _, rt := range w.site.routes() {
		method, p := fillIn(rt.pattern)
		if rt.access != operators || method != http.MethodPost {
			continue
		}
		for name, form := range map[string]url.Values{"no token": {}, "wrong token": {"token": {"guess"}}, "token of another session": {"token": {other}}} {
			if resp := w.do(method, p, form); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s with %s: status %d, want 403", p, name, resp.StatusCode)
			}
			// A form that another site could send carries no header, whatever its fields say.
			if resp := w.do(method, p, form, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s as text with %s: status %d, want 403", p, name, resp.StatusCode)
			}
		}
	}
	if len(w.box.approved)+len(w.box.cancelled)+len(w.box.ran)+len(w.box.drafted)+len(w.box.ruled)+len(w.box.changed)+len(w.box.corrected)+len(w.box.imported)+len(w.box.moved)+w.box.out > 0 || w.box.rev != 7 {
		t.Error("something was done without a token")
	}
}

// A POST that another site sends changes nothing, whatever it carries along.
func TestEveryPostRefusesForeignOrigins(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.token()
	for _, rt := range w.site.routes() {
		method, p := fillIn(rt.pattern)
		if method != http.MethodPost {
			continue
		}
		for _, origin := range []string{"http://evil.example", "http://127.0.0.1:1", "null"} {
			resp := w.do(method, p, url.Values{"token": {token}, "password": {password}}, func(r *http.Request) { r.Header.Set("Origin", origin) })
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: status %d, want 403", rt.pattern, origin, resp.StatusCode)
			}
		}
	}
	if w.box.did() || len(w.box.safe.notes) > 0 {
		t.Error("something was done for a foreign page")
	}
}

func TestLogin(t *testing.T) {
	w := open(t, newGolden())
	if resp := w.get("/payouts/42?x=1"); resp.Header.Get("Location") != "/login?next=%2Fpayouts%2F42%3Fx%3D1" {
		t.Fatalf("Location = %q", resp.Header.Get("Location"))
	}
	token := hidden(t, w.get("/login").body, "token")
	wrong := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {"no"}, "token": {token}})
	if wrong.StatusCode != http.StatusUnauthorized || !strings.Contains(wrong.body, "The name or the password is wrong") {
		t.Errorf("wrong password: status %d", wrong.StatusCode)
	}
	checkPage(t, wrong.body)
	if forged := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {"x"}}); forged.StatusCode != http.StatusForbidden {
		t.Errorf("login with a made-up form token: status %d, want 403", forged.StatusCode)
	}
	for next, want := range map[string]string{"/payouts/42?x=1": "/payouts/42?x=1", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "": "/"} {
		token := hidden(t, w.get("/login").body, "token")
		resp := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {token}, "next": {next}})
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("login with next %q leads to %q (status %d), want %q", next, got, resp.StatusCode, want)
		}
		w.do(http.MethodPost, "/logout", url.Values{"token": {w.token()}})
	}
	if w.box.out != 5 {
		t.Errorf("%d sign-outs were noted, want 5", w.box.out)
	}
	if resp := w.get("/"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out the dashboard answers %d", resp.StatusCode)
	}
}

func TestApprove(t *testing.T) {
	form := func(w *visit, change map[string]string) url.Values {
		page := w.get("/payouts/42").body
		f := url.Values{"token": {hidden(t, page, "token")}, "rev": {hidden(t, page, "rev")}, "digest": {hidden(t, page, "digest")}, "total": {"1,222,300"}, "password": {password}}
		for k, v := range change {
			f.Set(k, v)
		}
		return f
	}
	for name, tc := range map[string]struct {
		change map[string]string
		status int
		says   string
	}{
		"as shown":            {nil, http.StatusSeeOther, ""},
		"other grouping":      {map[string]string{"total": " 1 222 300 sats"}, http.StatusSeeOther, ""},
		"wrong total":         {map[string]string{"total": "122230"}, http.StatusUnprocessableEntity, "the total that you typed is not"},
		"bitcoin, not sats":   {map[string]string{"total": "0.01"}, http.StatusUnprocessableEntity, "the total that you typed is not"},
		"negative":            {map[string]string{"total": "-1222300"}, http.StatusUnprocessableEntity, "the total that you typed is not"},
		"no password":         {map[string]string{"password": ""}, http.StatusUnprocessableEntity, "the password is wrong"},
		"wrong password":      {map[string]string{"password": "guess"}, http.StatusUnprocessableEntity, "the password is wrong"},
		"old revision":        {map[string]string{"rev": "2"}, http.StatusConflict, "nothing was done"},
		"another plan":        {map[string]string{"digest": strings.Repeat("00", 32)}, http.StatusConflict, "nothing was done"},
		"digest is not hex":   {map[string]string{"digest": "zz"}, http.StatusBadRequest, ""},
		"rev is not a number": {map[string]string{"rev": ""}, http.StatusBadRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			resp := w.do(http.MethodPost, "/payouts/42/approve", form(w, tc.change))
			if resp.StatusCode != tc.status || !strings.Contains(resp.body, tc.says) {
				t.Fatalf("status %d, want %d; says %q: %v", resp.StatusCode, tc.status, tc.says, strings.Contains(resp.body, tc.says))
			}
			if got, want := len(w.box.approved), btoi(tc.status == http.StatusSeeOther); got != want {
				t.Errorf("%d approvals, want %d", got, want)
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			if a := w.box.approved[0]; a.Rev != 3 || len(a.Digest) != 32 || a.Operator.Name != "admin" || a.IP != "127.0.0.1" {
				t.Errorf("approval = %+v", a)
			}
		})
	}
	t.Run("second click", func(t *testing.T) {
		w := open(t, newGolden())
		w.signIn()
		f := form(w, nil)
		w.do(http.MethodPost, "/payouts/42/approve", f)
		if again := w.do(http.MethodPost, "/payouts/42/approve", f); again.StatusCode != http.StatusConflict || len(w.box.approved) != 1 {
			t.Errorf("second click: status %d, %d approvals", again.StatusCode, len(w.box.approved))
		}
	})
}

func TestOtherActions(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.token()
	for _, tc := range []struct {
		path   string
		form   url.Values
		status int
	}{
		{"/payouts/42/cancel", url.Values{"rev": {"2"}}, http.StatusConflict},
		{"/payouts/42/cancel", url.Values{"rev": {"3"}}, http.StatusSeeOther},
		{"/payouts", url.Values{"key": {"K"}}, http.StatusSeeOther},
		{"/payouts", url.Values{}, http.StatusBadRequest},
		{"/jobs/upkeep/run", url.Values{}, http.StatusSeeOther},
		{"/wallet/unlock", url.Values{"passphrase": {"no"}}, http.StatusUnprocessableEntity},
		{"/wallet/unlock", url.Values{"passphrase": {password}}, http.StatusSeeOther},
	} {
		tc.form.Set("token", token)
		if resp := w.do(http.MethodPost, tc.path, tc.form); resp.StatusCode != tc.status {
			t.Errorf("POST %s %v: status %d, want %d", tc.path, tc.form, resp.StatusCode, tc.status)
		}
	}
	if len(w.box.cancelled) != 1 || len(w.box.drafted) != 1 || len(w.box.ran) != 1 {
		t.Errorf("cancelled %v, drafted %v, ran %v", w.box.cancelled, w.box.drafted, w.box.ran)
	}
}

// GET never changes state, and what exists under another method says so.
func TestMethods(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for p, want := range map[string]int{"/payouts/42/approve": http.StatusMethodNotAllowed, "/logout": http.StatusMethodNotAllowed, "/nowhere": http.StatusNotFound} {
		if resp := w.get(p); resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", p, resp.StatusCode, want)
		}
	}
	if resp := w.do(http.MethodPost, "/workers", url.Values{}); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
		t.Errorf("POST /workers: status %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

func mustSite(t *testing.T, g *golden) *site {
	t.Helper()
	return siteOf(t, g, nil, Options{})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A handler that panics is an error page with a reference, and the server goes on.
func TestPanicIsAPage(t *testing.T) {
	s := mustSite(t, newGolden())
	s.log = slog.New(slog.DiscardHandler)
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
	s.guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })).ServeHTTP(rec, req)
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), "under the reference") || strings.Contains(rec.Body.String(), "boom") {
		t.Errorf("status %d, body %s", rec.Code, rec.Body)
	}
	checkPage(t, rec.Body.String())
}
