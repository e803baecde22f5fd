package webui

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func countSessions(t *testing.T, w *visit) (n int) {
	t.Helper()
	if err := w.db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM web_session`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sessionCookie is the cookie that the browser of the visit holds.
func (w *visit) sessionCookie() *http.Cookie {
	w.t.Helper()
	u, _ := url.Parse(w.url)
	for _, c := range w.http.Jar.Cookies(u) {
		if c.Name == "pool_session" {
			return c
		}
	}
	w.t.Fatal("no session cookie")
	return nil
}

func (w *visit) signedIn(change ...func(*http.Request)) bool {
	w.t.Helper()
	return w.get("/jobs", change...).StatusCode == http.StatusOK
}

// The database knows only the hash of what the cookie holds.
func TestOnlyTheHashIsStored(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	id := w.sessionCookie().Value
	var stored, data []byte
	if err := w.db.Reader().QueryRowContext(t.Context(), `SELECT id_hash, data FROM web_session`).Scan(&stored, &data); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte(id)); !bytes.Equal(stored, sum[:]) {
		t.Errorf("stored %x, want the SHA-256 of the id", stored)
	}
	if bytes.Contains(data, []byte(id)) {
		t.Error("the data of the session contain its id")
	}
	if len(id) != 43 {
		t.Errorf("id %q has %d characters, want 43 for 32 bytes", id, len(id))
	}
}

func TestSessionCookie(t *testing.T) {
	w := open(t, newGolden())
	token := hidden(t, w.get("/login").body, "token")
	resp := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {token}})
	for _, c := range resp.Cookies() {
		if c.Name != "pool_session" {
			continue
		}
		if !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
			t.Errorf("cookie on plain http: %v", c)
		}
	}
	s := &store{db: w.db, now: w.clock.now}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/", nil)
	session, err := s.New(req, cookieName(req, sessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	session.Values[keyOperatorID], session.Values[keyPassword] = "1", strconv.FormatInt(passwordSet.UnixMilli(), 10)
	rec := httptest.NewRecorder()
	if err := session.Save(req, rec); err != nil {
		t.Fatal(err)
	}
	if c := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-pool_session=") || !strings.Contains(c, "; Secure") {
		t.Errorf("cookie over TLS: %s", c)
	}
}

// Signing in changes the id: one that somebody planted before is worth nothing.
func TestIDIsRotated(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	first := w.sessionCookie()
	w.signInAgain()
	if second := w.sessionCookie(); second.Value == first.Value {
		t.Error("the id stayed the same")
	}
	if n := countSessions(t, w); n != 1 {
		t.Errorf("%d sessions, want the old one gone", n)
	}
	w.http.Jar = nil
	if w.signedIn(func(r *http.Request) { r.AddCookie(first) }) {
		t.Error("the old cookie still opens the pages")
	}
	if w.signedIn(func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "pool_session", Value: "planted"}) }) {
		t.Error("a made-up cookie opens the pages")
	}
}

// signInAgain posts the login form while signed in, as a stale tab does.
func (w *visit) signInAgain() {
	w.t.Helper()
	jar := w.http.Jar
	w.http.Jar = nil
	form := w.get("/login")
	w.http.Jar = jar
	nonce := form.Cookies()[0]
	resp := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {hidden(w.t, form.body, "token")}},
		func(r *http.Request) { r.AddCookie(nonce) })
	if resp.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("sign in again: status %d", resp.StatusCode)
	}
}

func TestSessionEnds(t *testing.T) {
	person := func(*http.Request) {}
	poll := func(r *http.Request) { r.Header.Set("Dmpool-Poll", "1") }
	for name, tc := range map[string]struct {
		who   func(*http.Request)
		step  time.Duration
		steps int
		alive bool
	}{
		"used every 20 minutes":      {person, 20 * time.Minute, 30, true},
		"after twelve hours":         {person, 20 * time.Minute, 36, false},
		"idle for half an hour":      {person, 30 * time.Minute, 1, false},
		"polled but not used":        {poll, 10 * time.Minute, 4, false},
		"used again within a minute": {person, 50 * time.Second, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			alive := true
			for range tc.steps {
				w.clock.add(tc.step)
				alive = w.signedIn(tc.who)
			}
			if alive != tc.alive {
				t.Errorf("signed in: %v, want %v", alive, tc.alive)
			}
		})
	}
}

// Removing the operator, or the row, ends the session at once, and a new login
// sweeps away what has ended.
func TestSessionIsRevoked(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	err := w.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM operator`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.signedIn() {
		t.Error("signed in after the operator is gone")
	}
	addOperator(t, w.db)
	w.signIn()
	w.clock.add(13 * time.Hour)
	w.signIn()
	if n := countSessions(t, w); n != 1 {
		t.Errorf("%d sessions, want only the living one", n)
	}
}

// A value that is not text cannot be stored silently as something else.
func TestSessionHoldsText(t *testing.T) {
	s := &store{db: openDB(t), now: (&watch{at: noon}).now}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
	session, err := s.Get(req, "pool_session")
	if err != nil {
		t.Fatal(err)
	}
	session.Values["n"] = 7
	if err := session.Save(req, httptest.NewRecorder()); err == nil {
		t.Error("a number was stored")
	}
}

// A password that was checked just before there was another one opens nothing: the
// new one has ended all sessions, and this one would come after.
func TestOldPasswordStartsNoSession(t *testing.T) {
	for name, change := range map[string]string{
		"changed": `UPDATE operator SET access_at = access_at + 1`,
		"removed": `DELETE FROM operator`,
		"another": `DELETE FROM operator; INSERT INTO operator (id, name, password_hash, created_at, updated_at) VALUES (1, 'admin', '-', 1, 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			token := hidden(t, w.get("/login").body, "token")
			err := w.db.Update(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			// The box has compared the password before that happened.
			resp := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {token}})
			if resp.StatusCode != http.StatusUnauthorized || countSessions(t, w) != 0 || w.signedIn() {
				t.Errorf("status %d, %d sessions", resp.StatusCode, countSessions(t, w))
			}
			checkPage(t, resp.body)
		})
	}
}
