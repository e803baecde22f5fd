package webui

import (
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// onePress is shared by the tests: parsing every page for every one of them took
// more than half of their time.
var onePress = sync.OnceValues(newPress)

// siteOf is makeSite with the one press.
func siteOf(t testing.TB, b box, db *sqlite.DB, o Options) *site {
	t.Helper()
	p, err := onePress()
	if err != nil {
		t.Fatal(err)
	}
	return newSite(b, db, o, p)
}

// openDB makes a real ledger.db with the operator of the golden data.
func openDB(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	addOperator(t, db)
	return db
}

// passwordSet is when that person's password was set.
var passwordSet = noon.Add(-900 * time.Hour)

// addOperator stores the person that sessions belong to.
func addOperator(t testing.TB, db *sqlite.DB) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `
			INSERT INTO operator (id, name, password_hash, created_at, updated_at, access_at) VALUES (1, 'admin', '-', 0, ?1, ?1)`, passwordSet.UnixMilli())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// execute changes the database behind the server's back.
func execute(t testing.TB, db *sqlite.DB, query string) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), query)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// watch is a clock that a test moves.
type watch struct {
	mu sync.Mutex
	at time.Time
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *watch) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// visit is a running server with golden data and a browser in front of it.
type visit struct {
	t     testing.TB
	box   *golden
	clock *watch
	db    *sqlite.DB
	site  *site
	url   string
	http  *http.Client
}

func open(t testing.TB, g *golden) *visit {
	t.Helper()
	w := &visit{t: t, box: g, clock: &watch{at: noon}, db: openDB(t)}
	s := siteOf(t, g, w.db, Options{
		Version: "1.2.3", News: []News{{"1.2.3", noon, []string{"Miners see <more>."}}}, Log: book(), Level: new(slog.LevelVar), Now: w.clock.now, Hosts: []string{"pool.lan"},
		HTTPS: &HTTPS{Port: 8443, Certificate: g.StratumCertificate},
	})
	w.site = s
	server := httptest.NewServer(s.guarded(s.register()))
	t.Cleanup(server.Close)
	w.url = server.URL
	jar, _ := cookiejar.New(nil)
	w.http = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w
}

// answer is what came back, read to its end.
type answer struct {
	*http.Response
	body string
}

func (w *visit) do(method, path string, form url.Values, change ...func(*http.Request)) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", w.url)
	}
	for _, c := range change {
		c(req)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	if _, err := io.Copy(&body, resp.Body); err != nil {
		w.t.Fatal(err)
	}
	return answer{resp, body.String()}
}

func (w *visit) get(path string, change ...func(*http.Request)) answer {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil, change...)
}

// signIn goes through the login form as a browser does.
func (w *visit) signIn() {
	w.t.Helper()
	form := w.get("/login")
	resp := w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {hidden(w.t, form.body, "token")}})
	if resp.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("sign in: status %d, body %s", resp.StatusCode, resp.body)
	}
}

// token is the form token of the session.
func (w *visit) token() string {
	w.t.Helper()
	return hidden(w.t, w.get("/jobs").body, "token")
}

// hidden is the value of a hidden input.
func hidden(t testing.TB, html, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(html, `name="`+name+`" value="`)
	if !ok {
		t.Fatalf("no hidden input %q in %s", name, html)
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// newBody is the body of a request that is not a form.
func newBody(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
