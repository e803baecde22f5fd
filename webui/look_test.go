package webui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A reader gets the language of the link, of their choice, or of their browser,
// and no cookie before they chose.
func TestLook(t *testing.T) {
	w := open(t, newGolden())
	ask := func(path, accept string, cookies ...*http.Cookie) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", accept)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if len(res.Cookies()) > 0 {
			t.Errorf("%s sets %v", path, res.Cookies())
		}
		return res.Header.Get("Content-Language")
	}
	chose := func(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }
	for _, tc := range []struct {
		path, accept string
		cookies      []*http.Cookie
		want         string
	}{
		{"/observer", "", nil, english},
		{"/observer", "de-AT, de;q=0.9", nil, english},
		{"/observer", "zh-CN,zh;q=0.9,en;q=0.8", nil, chinese},
		{"/observer", "zh-CN", []*http.Cookie{chose(languageCookie, english)}, english},
		{"/observer", "en", []*http.Cookie{chose(languageCookie, chinese)}, chinese},
		{"/observer", "en", []*http.Cookie{chose(languageCookie, "xx")}, english},
		{"/observer?lang=zh-Hans", "en", []*http.Cookie{chose(languageCookie, english)}, chinese},
		{"/observer?lang=xx", "en", nil, english},
		{"/observer", strings.Repeat("zh-CN,", 1000), nil, english},
	} {
		if got := ask(tc.path, tc.accept, tc.cookies...); got != tc.want {
			t.Errorf("%s with %.30q %v is in %s, want %s", tc.path, tc.accept, tc.cookies, got, tc.want)
		}
	}
}

// The choice is kept by two cookies, which a wrong value takes away again.
func TestChangeLook(t *testing.T) {
	w := open(t, newGolden())
	for _, tc := range []struct {
		form, next string
		want       string
	}{
		{"lang=zh-Hans&theme=dark", "/observer", "pool_lang=zh-Hans pool_theme=dark"},
		{"theme=system", "/connect", "pool_theme="},
		{"lang=xx", "//evil.example", "pool_lang="},
		{"lang=en", "/observer?lang=zh-Hans", "pool_lang=en"},
	} {
		form, err := url.ParseQuery(tc.form)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("next", tc.next)
		res := w.do(http.MethodPost, "/look", form)
		var got []string
		for _, c := range res.Cookies() {
			got = append(got, fmt.Sprintf("%s=%s", c.Name, c.Value))
			if !c.HttpOnly {
				t.Errorf("%s can be read by scripts", c.Name)
			}
		}
		if strings.Join(got, " ") != tc.want || res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d %v, want %s", tc.form, res.StatusCode, got, tc.want)
		}
		if to := res.Header.Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "lang=") {
			t.Errorf("goes to %s", to)
		}
	}
}
