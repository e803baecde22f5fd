package webui

import (
	"encoding/hex"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// second is another browser of the same person.
func (w *visit) second(t *testing.T) *visit {
	t.Helper()
	other := *w
	jar, _ := cookiejar.New(nil)
	other.http = &http.Client{Jar: jar, CheckRedirect: w.http.CheckRedirect}
	other.signIn()
	return &other
}

// ASVS 7.5.2: people see where they are signed in, and end it.
func TestSessionsPage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	other := w.second(t)
	hash := hex.EncodeToString(idHash(other.sessionCookie().Value))
	page := w.get("/sessions").body
	checkPage(t, page)
	if !strings.Contains(page, hash[:6]) || strings.Count(page, `class="badge">this one`) != 1 || strings.Contains(page, other.sessionCookie().Value) {
		t.Error("the other session is not listed, or by its secret")
	}
	for _, made := range []string{"", "zz", strings.Repeat("00", 31)} {
		if resp := w.do(http.MethodPost, "/sessions/end", url.Values{"token": {w.token()}, "session": {made}}); resp.StatusCode != http.StatusNotFound {
			t.Errorf("session %q: status %d", made, resp.StatusCode)
		}
	}
	if resp := w.do(http.MethodPost, "/sessions/end", url.Values{"token": {w.token()}, "session": {hash}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if other.signedIn() || !w.signedIn() {
		t.Error("the wrong session was ended")
	}
	if !slices.Contains(w.box.safe.notes, "session.end "+hash[:6]) || w.box.safe.session != shortID(idHash(w.sessionCookie().Value)) {
		t.Errorf("noted %v in session %q", w.box.safe.notes, w.box.safe.session)
	}
	third := w.second(t)
	w.do(http.MethodPost, "/sessions/others", url.Values{"token": {w.token()}})
	if third.signedIn() || !w.signedIn() {
		t.Error("the others go on, or this one does not")
	}
}

// Nobody ends the sessions of somebody else.
func TestSessionsAreOnesOwn(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	theirs := w.second(t)
	id := idHash(theirs.sessionCookie().Value)
	execute(t, w.db, `INSERT INTO operator (id, name, password_hash, created_at, updated_at) VALUES (2, 'bert', '-', 0, 0)`)
	execute(t, w.db, `UPDATE web_session SET operator = 2 WHERE hex(id_hash) = '`+strings.ToUpper(hex.EncodeToString(id))+`'`)
	w.do(http.MethodPost, "/sessions/end", url.Values{"token": {w.token()}, "session": {hex.EncodeToString(id)}})
	w.do(http.MethodPost, "/sessions/others", url.Values{"token": {w.token()}})
	if countSessions(t, w) != 2 {
		t.Error("somebody else's session was ended")
	}
	if strings.Contains(w.get("/sessions").body, shortID(id)) {
		t.Error("somebody else's session is listed")
	}
}

// WCAG 2.2.1: each page says when the session ends; staying takes one click, and a
// script that asks does not stay.
func TestStay(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	ends := func(change ...func(*http.Request)) string { return w.get("/jobs", change...).Header.Get(endsHeader) }
	poll := func(r *http.Request) { r.Header.Set("Dmpool-Poll", "1") }
	want := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	if got := ends(); got != want(sessionIdle) {
		t.Errorf("ends %s, want %s", got, want(sessionIdle))
	}
	w.clock.add(28 * time.Minute)
	if got := ends(poll); got != want(sessionIdle) {
		t.Errorf("a poll moves the end to %s", got)
	}
	if resp := w.do(http.MethodPost, "/sessions/stay", url.Values{"token": {w.tokenOf(poll)}, "next": {"/blocks"}}); resp.Header.Get("Location") != "/blocks" {
		t.Errorf("leads to %q", resp.Header.Get("Location"))
	}
	if got := ends(poll); got != want(28*time.Minute+sessionIdle) {
		t.Errorf("after staying: ends %s", got)
	}
	page := w.get("/jobs").body
	if !strings.Contains(page, `data-ends="`+want(28*time.Minute+sessionIdle)+`"`) || !strings.Contains(page, "Stay signed in") {
		t.Error("the page does not say when the session ends")
	}
	for range 30 {
		w.clock.add(23 * time.Minute)
		w.get("/jobs")
	}
	page = w.get("/jobs").body
	if strings.Contains(page, "Stay signed in") || !strings.Contains(page, `data-ends="`+want(sessionLife)+`" data-final`) {
		t.Error("near its last hour the session can still be kept")
	}
}

// ASVS 7.4.4: on each page of an operator there is a way out.
func TestSignOutIsOnEveryPage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, path := range []string{"/", "/workers", "/payouts/42", "/sessions", "/people", "/settings", "/observer", "/nowhere"} {
		if !strings.Contains(w.get(path).body, `action="/logout"`) {
			t.Errorf("%s has no way out", path)
		}
	}
}

// tokenOf is the form token, asked for with a changed request.
func (w *visit) tokenOf(change ...func(*http.Request)) string {
	w.t.Helper()
	return hidden(w.t, w.get("/jobs", change...).body, "token")
}
