package webui

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// ownBox serves a box of its own that is set up and whose node has not been started:
// its operators are real.
func ownBox(t *testing.T) *realBox {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "box")
	answers, err := appliance.ParseAnswers(strings.NewReader(`{"network":"regtest","operator":{"password":"` + password + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := appliance.SetUp(t.Context(), dir, answers); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	box, err := appliance.New(t.Context(), appliance.Config{DataDir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	handler, _, err := New(box, Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &realBox{t: t, box: box, url: server.URL}
}

// browser is somebody who is not signed in yet, at an address of their own.
func (b *realBox) browser(ip string) *tab {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &tab{b: b, http: &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// form posts a form of a page that anybody sees.
func (w *tab) form(path string, form url.Values) (status int, page string) {
	w.b.t.Helper()
	status, page, _ = w.send(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), nil)
	return status, page
}

// password passes the first of the two forms, and returns what the second needs.
func (w *tab) password() url.Values {
	w.b.t.Helper()
	_, page, _ := w.send(http.MethodGet, "/login", "", "", nil)
	token := hidden(w.b.t, page, "token")
	status, page := w.form("/login", url.Values{"user": {"admin"}, "password": {password}, "token": {token}})
	if status != http.StatusOK {
		w.b.t.Fatalf("the first form: status %d", status)
	}
	return url.Values{"token": {token}, "half": {hidden(w.b.t, page, "half")}}
}

// inside reports whether the operator's pages open.
func (w *tab) inside() bool {
	status, _, _ := w.send(http.MethodGet, "/people", "", "", nil)
	return status == http.StatusOK
}

// atOnce runs something many times at the same moment and counts what came out.
func atOnce[T comparable](n int, do func(i int) T) map[T]int {
	outcomes := make([]T, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { outcomes[i] = do(i) })
	}
	group.Wait()
	counts := map[T]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	return counts
}

// recoveryCodesOf reads the codes off the page that shows them.
func recoveryCodesOf(t *testing.T, page string) (codes []string) {
	t.Helper()
	for _, e := range parseHTML(t, page) {
		if e.attrs["name"] == "recovery" {
			codes = append(codes, e.attrs["value"])
		}
	}
	return codes
}

// authenticator is an app that knows a secret: it gives the code of the present step,
// or of one after it.
func authenticator(t *testing.T, secret string) func(after int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatalf("secret %q: %v", secret, err)
	}
	return func(after int64) string {
		mac := hmac.New(sha1.New, key)
		_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30+after)
		sum := mac.Sum(nil)
		return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
	}
}

// Many browsers at one moment with the same code: one gets in, whether the code is of
// the app or for recovery. Of many confirmations of one secret one counts, and it is the
// one that shows the codes.
func TestOneCodeManyBrowsers(t *testing.T) {
	t.Parallel()
	for name, recovery := range map[string]bool{"recovery code": true, "code of the app": false} {
		t.Run(name, func(t *testing.T) {
			b := ownBox(t)
			const many = 12
			tabs := make([]*tab, many)
			for i := range many {
				tabs[i] = b.signIn(fmt.Sprintf("127.0.6.%d", i+1))
			}
			_, page := tabs[0].post("/factor", url.Values{})
			_, secret, _ := strings.Cut(page, `class="mono big-code">`)
			secret, _, _ = strings.Cut(secret, "<")
			app := authenticator(t, strings.ReplaceAll(secret, " ", ""))
			pages := make([]string, many)
			counts := atOnce(many, func(i int) int {
				_, pages[i] = tabs[i].post("/factor/confirm", url.Values{"code": {app(0)}})
				return len(recoveryCodesOf(t, pages[i]))
			})
			if counts[10] != 1 || counts[0] != many-1 {
				t.Fatalf("codes that were shown: %v", counts)
			}
			for _, w := range tabs {
				if shown := len(recoveryCodesOf(t, pages[slices.Index(tabs, w)])) > 0; w.inside() != shown {
					t.Errorf("inside: %v, was shown the codes: %v", w.inside(), shown)
				}
			}
			code := app(1)
			if recovery {
				code = recoveryCodesOf(t, pages[slices.IndexFunc(pages, func(p string) bool { return len(recoveryCodesOf(t, p)) == 10 })])[0]
			}
			forms, browsers := make([]url.Values, many), make([]*tab, many)
			for i := range many {
				browsers[i] = b.browser(fmt.Sprintf("127.0.7.%d", i+1))
				forms[i] = browsers[i].password()
				forms[i].Set("code", code)
			}
			in := atOnce(many, func(i int) bool {
				browsers[i].form("/login/code", forms[i])
				return browsers[i].inside()
			})
			if in[true] != 1 {
				t.Errorf("one %s let %d browsers in", name, in[true])
			}
		})
	}
}

// Of two operators who remove each other at one moment one remains, and who is removed
// while they sign in is not in afterwards.
func TestRemovedAtTheSameMoment(t *testing.T) {
	t.Parallel()
	b := ownBox(t)
	admin := b.signIn("127.0.8.1")
	const theirs = "Another horse 8"
	if status, html := admin.post("/people", url.Values{"name": {"bert"}, "new": {theirs}, "again": {theirs}}); status != http.StatusSeeOther {
		t.Fatalf("add: status %d, %s", status, html)
	}
	bert := b.signInAs("127.0.8.2", "bert", theirs)
	late := b.browser("127.0.8.3")
	_, page, _ := late.send(http.MethodGet, "/login", "", "", nil)
	login := url.Values{"user": {"bert"}, "password": {theirs}, "token": {hidden(t, page, "token")}}
	atOnce(3, func(i int) bool {
		switch i {
		case 0:
			admin.post("/people/2/remove", url.Values{"name": {"bert"}})
		case 1:
			bert.form("/people/1/remove", url.Values{"name": {"admin"}, "token": {bert.token}, "password": {theirs}})
		case 2:
			late.form("/login", login)
		}
		return true
	})
	people, err := b.box.People(t.Context())
	if err != nil || len(people) != 1 {
		t.Fatalf("%+v, %v", people, err)
	}
	left := map[string]*tab{"admin": admin, "bert": bert}
	for name, w := range left {
		if w.inside() != (people[0].Name == name) {
			t.Errorf("%s is inside: %v, of %+v", name, w.inside(), people)
		}
	}
	if late.inside() != (people[0].Name == "bert") {
		t.Errorf("a late sign-in is inside: %v", late.inside())
	}
}
