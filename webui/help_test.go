package webui

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Help is open to everybody, linked at the same place of each page, and leads to
// pages that there are.
func TestHelp(t *testing.T) {
	w := open(t, newGolden())
	for _, lang := range []string{english, chinese} {
		page := w.get("/help?lang=" + lang)
		checkPage(t, page.body)
		if page.StatusCode != http.StatusOK || strings.Count(page.body, `<details id="`) != 12 {
			t.Errorf("%s: status %d", lang, page.StatusCode)
		}
	}
	w.signIn()
	for _, m := range regexp.MustCompile(`href="(/[a-z]*)"`).FindAllStringSubmatch(w.get("/help").body, -1) {
		if got := w.get(m[1]); got.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", m[1], got.StatusCode)
		}
	}
	foot := regexp.MustCompile(`<p class="foot-right"><a href="/help"`)
	for _, path := range []string{"/", "/workers", "/payouts/42", "/nowhere", "/observer", "/connect", "/help"} {
		if !foot.MatchString(w.get(path).body) {
			t.Errorf("%s has no link to the help at its foot", path)
		}
	}
}
