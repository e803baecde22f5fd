package webui

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// household is a box of two: berta lacks the second factor that she needs.
type household struct{ *golden }

func (h household) Login(ctx context.Context, user, pass, ip string) (operator, time.Time, error) {
	if user == "berta" && pass == password {
		return operator{ID: 2, Name: "berta"}, passwordSet, nil
	}
	return h.golden.Login(ctx, user, pass, ip)
}

func (household) Factor(_ context.Context, op operator) (factorState, error) {
	return factorState{Needed: op.ID == 2}, nil
}

// person is a browser on a household's box.
type person struct {
	*visit
	change func(*http.Request)
}

// member is a browser that is signed in as user; nobody: a stranger's.
func (w *visit) member(t *testing.T, user string, change func(*http.Request)) person {
	t.Helper()
	other := *w
	jar, _ := cookiejar.New(nil)
	other.t, other.http = t, &http.Client{Jar: jar, CheckRedirect: w.http.CheckRedirect}
	p := person{&other, change}
	if user == "" {
		return p
	}
	form := p.get("/login", change)
	answer := p.do(http.MethodPost, "/login", url.Values{"user": {user}, "password": {password}, "token": {hidden(t, form.body, "token")}}, change,
		func(r *http.Request) { r.Header.Set("Origin", "http://"+r.Host) })
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in as %s: status %d, body %s", user, answer.StatusCode, answer.body)
	}
	return p
}

// Whoever else looks at the same page, and came before: a stream sends what this
// browser's page has, with the forms of its session, in its language, and as its
// operator sees it. What is the same for several is made once, and nothing is made
// for nobody.
func TestStreamSendsWhatThePageHas(t *testing.T) {
	block := newGolden().block.Hash
	for _, page := range []struct {
		name, path string
		made       int // how often, for those who may see it of these five
	}{
		{"dashboard", "/", 3},
		{"workers", "/workers?sort=best", 3},
		{"worker", workerPath(aliceAddress, "bitaxe1"), 3},
		{"blocks", "/blocks", 3},
		{"block", "/blocks/" + block, 3},
		{"payouts", "/payouts?tab=sent", 3},
		{"observer", "/observer/" + aliceAddress, 4},
		{"connect", "/connect", 5},
		{"payout", "/payouts/42", 4},
		{"node", "/node", 4},
		{"jobs", "/jobs", 4},
		{"books", "/books", 4},
		{"logs", "/logs", 4},
		{"monitoring", "/monitoring", 4},
	} {
		t.Run(page.name, func(t *testing.T) {
			var w *visit
			t.Cleanup(func() { // after the server has ended
				if left := len(w.site.shown.on); left != 0 {
					t.Errorf("%d pages are made for nobody", left)
				}
			})
			w = open(t, newGolden())
			w.site.box = household{w.box}
			execute(t, w.db, `INSERT INTO operator (id, name, password_hash, created_at, updated_at, access_at) SELECT 2, 'berta', '-', created_at, updated_at, access_at FROM operator`)
			at := func(host, language string) func(*http.Request) {
				return func(r *http.Request) { r.Host = host; r.Header.Set("Accept-Language", language) }
			}
			here := strings.TrimPrefix(w.url, "http://")
			for name, p := range map[string]person{
				"her phone":   w.member(t, "admin", at("pool.lan", "en")),
				"her desk":    w.member(t, "admin", at(here, "en-GB")),
				"in Chinese":  w.member(t, "admin", at(here, "zh-CN")),
				"berta":       w.member(t, "berta", at(here, "en")),
				"no operator": w.member(t, "", at(here, "en")),
			} {
				seen := p.get(page.path, p.change)
				if seen.StatusCode == http.StatusSeeOther && name == "no operator" {
					continue
				}
				if needs := strings.Contains(seen.body, "/sessions#factor"); page.name == "dashboard" && needs != (name == "berta") {
					t.Errorf("%s: a second factor is asked for: %v", name, needs)
				}
				p.sameParts(name, page.name, page.path, seen.body)
			}
			w.site.shown.mu.Lock()
			defer w.site.shown.mu.Unlock()
			if got := len(w.site.shown.on); got != page.made {
				t.Errorf("made %d times, want %d", got, page.made)
			}
		})
	}
}

// sameParts opens a stream and compares all parts that it begins with with the page.
func (p person) sameParts(who, name, path, page string) {
	p.t.Helper()
	live := p.listen(path, p.change)
	for _, id := range p.site.pages["en"][name].live {
		var part struct{ ID, HTML string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(live.part(id), "data: ")), &part); err != nil {
			p.t.Fatalf("%s: part %s: %v", who, id, err)
		}
		if strings.Contains(page, `id="`+id+`"`) && !strings.Contains(page, part.HTML) {
			p.t.Errorf("%s: the stream sends another %s than is on the page:\n%s", who, id, part.HTML)
		}
	}
}

// Whoever comes later gets what is now, and not what was made for those who are
// there: the page that has just been opened would fall back behind itself.
func TestStreamBeginsWithTheNewest(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.listen("/workers").part("live-workers")
	w.box.setWorkers([]workerLine{{Address: bobAddress, Name: "newcomer", Status: "online"}}) // and nobody is told
	if part := w.listen("/workers").part("live-workers"); !strings.Contains(part, "newcomer") {
		t.Errorf("the second stream begins with %s", part)
	}
}
