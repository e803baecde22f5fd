//go:build image

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// visitor is somebody with a browser that runs no scripts.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
}

func newVisitor(t *testing.T, m *vm) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, base: "http://" + m.pages, http: &http.Client{
		Jar: jar, Timeout: callPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is what a visitor got.
type page struct {
	status int
	to     string // of a redirect
	body   string
}

func (v *visitor) do(req *http.Request) (page, error) {
	resp, err := v.http.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return page{resp.StatusCode, resp.Header.Get("Location"), string(body)}, err
}

func (v *visitor) get(path string) (page, error) {
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, http.NoBody)
	if err != nil {
		return page{}, err
	}
	return v.do(req)
}

// send fills in the form of a page, with the hidden token that it has if it has one.
func (v *visitor) send(path string, fields ...string) page {
	v.t.Helper()
	shown, err := v.get(path)
	if err != nil {
		v.t.Fatal(err)
	}
	form := url.Values{}
	if _, rest, ok := strings.Cut(shown.body, `name="token" value="`); ok {
		token, _, _ := strings.Cut(rest, `"`)
		form.Set("token", token)
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := v.do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	if answer.status != http.StatusSeeOther {
		v.t.Fatalf("%s: status %d\n%s", path, answer.status, answer.body)
	}
	return answer
}

const imagePassword = "Correct horse, battery!"

// wizardAnswers are what a person on the practice chain says, page by page.
func wizardAnswers(code string) [][]string {
	return [][]string{
		{"welcome", "code", code},
		{"start", "start", "new"},
		{"operator", "user", "anna", "password", imagePassword, "again", imagePassword},
		{"check"},
		{"network", "network", "practice"},
		{"node", "node", "own"},
		{"rules", "settlement", "ledger", "fee", "1", "window", "2", "min_payout", "100000"},
		{"wallet", "keys", "node", "unlock", "auto"},
		{"access", "name", "Barn", "time_zone", "UTC", "admin_from", "private", "observer_pages", "yes"},
		{"review"},
	}
}

// wizardReady tells whether the box asks for its set-up.
func (v *visitor) wizardReady() error {
	got, err := v.get("/setup/welcome")
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("status %d", got.status)
	}
	return err
}
