package webui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// shows makes a request show a token, and no cookie.
func shows(token string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Del("Cookie")
	}
}

// script is a client without cookies.
func (w *visit) script() *visit {
	other := *w
	other.http = &http.Client{CheckRedirect: w.http.CheckRedirect}
	return &other
}

// readToken makes a token on the sign-in page.
func (w *visit) readToken() string {
	w.t.Helper()
	resp := w.do(http.MethodPost, "/tokens", url.Values{"token": {w.token()}, "name": {"display " + hostile}, "password": {password}})
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("status %d: %s", resp.StatusCode, resp.body)
	}
	checkPage(w.t.(*testing.T), resp.body)
	_, rest, _ := strings.Cut(resp.body, `data-copy="`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// loginToken signs in as a script.
func (w *visit) loginToken(fields map[string]any) (string, answer) {
	w.t.Helper()
	body, _ := json.Marshal(fields)
	resp := w.do(http.MethodPost, "/api/auth/login", nil, func(r *http.Request) {
		r.Body, r.ContentLength = newBody(string(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
	var got loginJSON
	_ = json.Unmarshal([]byte(resp.body), &got)
	return got.Token, resp
}

func TestReadToken(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for name, form := range map[string]url.Values{
		"no password": {"name": {"x"}}, "wrong password": {"name": {"x"}, "password": {"guess"}}, "no name": {"name": {" "}, "password": {password}},
		"a name of two lines": {"name": {"x\n2026-11-22 admin payout.approve ok"}, "password": {password}},
	} {
		form.Set("token", w.token())
		resp := w.do(http.MethodPost, "/tokens", form)
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
		checkPage(t, resp.body)
	}
	token := w.readToken()
	if len(token) != len(readPrefix)+43 {
		t.Errorf("token %q", token)
	}
	page := w.get("/sessions").body
	checkPage(t, page)
	if strings.Contains(page, token) || !strings.Contains(page, "display &lt;script&gt;") || !strings.Contains(page, "look only") {
		t.Error("the page shows the token again, or not its name")
	}
	var stored string
	if err := w.db.Reader().QueryRowContext(t.Context(), `SELECT kind || name || hex(hash) FROM api_token`).Scan(&stored); err != nil || strings.Contains(stored, token[len(readPrefix):]) {
		t.Errorf("%v, stored %s", err, stored)
	}
	script := w.script()
	if resp := script.get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusOK || resp.Header.Get(tokenHeader) != "" || resp.Header.Get(endsHeader) != "" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	if !strings.Contains(w.get("/sessions").body, `data-show="ago"`) {
		t.Error("the page does not say when it was used")
	}
	id, _, _ := strings.Cut(page[strings.Index(page, "/tokens/")+len("/tokens/"):], "/")
	w.do(http.MethodPost, "/tokens/"+id+"/revoke", url.Values{"token": {w.token()}})
	if resp := script.get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("revoked: status %d", resp.StatusCode)
	}
	if notes := strings.Join(w.box.safe.notes, "\n"); !strings.Contains(notes, "token.add display") || !strings.Contains(notes, "token.revoke display") {
		t.Errorf("noted %s", notes)
	}
}

// ASVS 8.2.1: a token that may look does nothing else, on any route, and opens no page.
func TestEveryRouteWithReadToken(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.readToken()
	looks := 0
	for _, rt := range w.site.routes() {
		w.clock.add(time.Minute) // for the buckets
		method, p := fillIn(rt.pattern)
		resp := w.script().do(method, p, url.Values{}, shows(token))
		api := strings.HasPrefix(p, "/api/")
		switch {
		case rt.access == readers || rt.access == monitors:
			looks++
			if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s: status %d", rt.pattern, resp.StatusCode)
			}
		case rt.access == operators && api && resp.StatusCode != http.StatusForbidden:
			t.Errorf("%s: status %d, want 403", rt.pattern, resp.StatusCode)
		case rt.access == operators && !api && resp.StatusCode != http.StatusUnauthorized && !strings.HasPrefix(resp.Header.Get("Location"), "/login"):
			t.Errorf("page %s: status %d", rt.pattern, resp.StatusCode)
		}
	}
	if looks == 0 {
		t.Error("there is nothing to look at")
	}
	if w.box.did() {
		t.Error("something was done with a token that may only look")
	}
}

// did tells whether anything was done.
func (g *golden) did() bool {
	return len(g.approved)+len(g.cancelled)+len(g.ran)+len(g.drafted)+len(g.ruled)+len(g.changed)+len(g.corrected)+len(g.imported)+len(g.moved)+g.out > 0 || g.rev != 7
}

// A script signs in, does what its operator may without a form token, and is out
// when the token is over, revoked, or the operator's password is another.
func TestLoginToken(t *testing.T) {
	w := open(t, withFactor())
	script := w.script()
	who := map[string]any{"username": "admin", "password": password}
	if _, resp := script.loginToken(who); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.body, codeSecondStep) {
		t.Errorf("without a code: status %d, %s", resp.StatusCode, resp.body)
	}
	who["code"] = goldenCode
	token, resp := script.loginToken(who)
	if resp.StatusCode != http.StatusOK || !strings.Contains(resp.body, `"expires_in":3600`) || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Set-Cookie") != "" {
		t.Fatalf("status %d, %s", resp.StatusCode, resp.body)
	}
	command := func(path string, fields map[string]any) answer {
		body, _ := json.Marshal(fields)
		return script.do(http.MethodPost, path, nil, shows(token), func(r *http.Request) {
			r.Body, r.ContentLength = newBody(string(body)), int64(len(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", path)
		})
	}
	if resp := command("/api/payments/create", nil); resp.StatusCode >= 300 || len(w.box.drafted) != 1 {
		t.Errorf("drafting: status %d, %s", resp.StatusCode, resp.body)
	}
	send := map[string]any{"rev": 3, "digest": strings.Repeat("5a", 32), "total_sats": 1_222_300}
	if resp := command("/api/payments/broadcast/42", send); resp.StatusCode != http.StatusForbidden || len(w.box.approved) != 0 {
		t.Errorf("sending without proof: status %d", resp.StatusCode)
	}
	send["code"] = goldenCode
	if resp := command("/api/payments/broadcast/42", send); resp.StatusCode >= 300 || len(w.box.approved) != 1 {
		t.Errorf("sending with a code: status %d, %s", resp.StatusCode, resp.body)
	}
	if resp := script.get("/jobs", shows(token)); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a page opens with a token: status %d", resp.StatusCode)
	}
	if resp := script.get("/api/payments/stats?access_token=" + token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the address: status %d", resp.StatusCode)
	}
	if resp := script.do(http.MethodPost, "/api/payments/create", nil, shows(token), func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page with a token: status %d", resp.StatusCode)
	}
	for name, end := range map[string]func(){
		"over":    func() { w.clock.add(loginTokenLife + time.Second) },
		"revoked": func() { execute(t, w.db, `DELETE FROM api_token`) },
	} {
		token, _ = script.loginToken(who)
		if resp := script.get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d before", name, resp.StatusCode)
		}
		end()
		if resp := script.get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	execute(t, w.db, `UPDATE operator SET access_at = access_at + 1`)
	if _, resp := script.loginToken(who); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a password that is another by now: status %d", resp.StatusCode)
	}
}

// What is not signed by us, or says how it wants to be checked, is no token.
func TestMadeUpTokens(t *testing.T) {
	w := open(t, newGolden())
	good, _ := w.script().loginToken(map[string]any{"username": "admin", "password": password})
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(good, &claims); err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, change func(*jwt.RegisteredClaims)) string {
		c := claims
		change(&c)
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same := func(*jwt.RegisteredClaims) {}
	key := w.site.tokens.key
	for name, token := range map[string]string{
		"empty":            "",
		"no signature":     sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another key":      sign(jwt.SigningMethodHS256, []byte("guess"), same),
		"another method":   sign(jwt.SigningMethodHS512, key, same),
		"no end":           sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"another audience": sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Audience = nil }),
		"no row":           sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.ID = "made up" }),
		"read, made up":    readPrefix + newSessionID(),
		"id as read token": readPrefix + claims.ID,
	} {
		w.clock.add(time.Minute / 10)
		if resp := w.script().get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	if resp := w.script().get("/api/payments/stats", shows(good)); resp.StatusCode != http.StatusOK {
		t.Errorf("the good one: status %d", resp.StatusCode)
	}
}

// Guesses at tokens are limited, and leave the login form alone.
func TestTokenGuessesAreLimited(t *testing.T) {
	w := open(t, newGolden())
	script := w.script()
	limited := 0
	for range 20 {
		if resp := script.get("/api/payments/stats", shows(readPrefix+"guess")); resp.StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 20 guesses were turned away, want 10", limited)
	}
	w.signIn()
}

// Nobody revokes the tokens of somebody else.
func TestTokensAreOnesOwn(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.readToken()
	execute(t, w.db, `INSERT INTO operator (id, name, password_hash, created_at, updated_at) VALUES (2, 'bert', '-', 0, 0)`)
	execute(t, w.db, `UPDATE api_token SET operator = 2`)
	if strings.Contains(w.get("/sessions").body, "display &lt;script&gt;") {
		t.Error("somebody else's token is listed")
	}
	w.do(http.MethodPost, "/tokens/1/revoke", url.Values{"token": {w.token()}})
	if resp := w.script().get("/api/payments/stats", shows(token)); resp.StatusCode != http.StatusOK {
		t.Errorf("somebody else's token was revoked: status %d", resp.StatusCode)
	}
}
