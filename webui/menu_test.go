package webui

import (
	"net/http"
	"strings"
	"testing"
)

// Every entry of the menu leads to a page, which marks itself in it; and every
// page offers the way out, another language and other colours.
func TestMenuLeadsToPages(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	var all []entry
	for _, s := range moreMenu() {
		all = append(all, s.Entries...)
	}
	for _, e := range append(all, mainMenu()...) {
		page := w.get(e.Path)
		if page.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", e.Path, page.Status)
		}
		if want := `<a href="` + e.Path + `" aria-current="page">`; !strings.Contains(page.body, want) {
			t.Errorf("%s does not mark itself in the menu", e.Path)
		}
		for _, want := range []string{`action="/logout"`, `action="/look"`, `name="next" value="` + e.Path + `"`} {
			if !strings.Contains(page.body, want) {
				t.Errorf("%s has no %s", e.Path, want)
			}
		}
	}
}

// A choice of language made on the page that answers a form leads back to the
// page with the form, since the answer itself cannot be asked for again.
func TestLookComesBack(t *testing.T) {
	w := open(t, newGolden())
	for referer, want := range map[string]string{
		w.url + "/login?next=/blocks": `value="/login?next=/blocks"`,
		"http://elsewhere/login":      `name="next" value="/"`,
		"":                            `name="next" value="/"`,
	} {
		page := w.do(http.MethodPost, "/login", map[string][]string{"user": {"x"}}, func(r *http.Request) { r.Header.Set("Referer", referer) })
		if !strings.Contains(page.body, want) {
			t.Errorf("from %q: no %s", referer, want)
		}
	}
}
