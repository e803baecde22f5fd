package webui

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	xlanguage "golang.org/x/text/language"
)

// A visitor's language and colours are kept in two cookies, and only when somebody
// has chosen: until then nothing is stored. ?lang= shows one page in another
// language and stores nothing either.
const (
	languageCookie = "pool_lang"
	themeCookie    = "pool_theme"
	lookFor        = 365 * 24 * time.Hour
)

// themes are the values of the theme cookie. Without one the browser decides.
func themes() []string { return []string{"light", "dark"} }

// look is how a visitor wants to see the pages.
type look struct {
	words *words
	Theme string // "light", "dark" or empty: as the browser says
}

// lookOf reads ?lang=, then the cookies, then what the browser asks for.
func (s *site) lookOf(r *http.Request) look {
	l := look{words: s.words[english]}
	if theme, ok := cookieOf(r, themeCookie); ok && slices.Contains(themes(), theme) {
		l.Theme = theme
	}
	if w, ok := s.words[r.URL.Query().Get("lang")]; ok {
		l.words = w
		return l
	}
	if tag, ok := cookieOf(r, languageCookie); ok {
		if w, ok := s.words[tag]; ok {
			l.words = w
			return l
		}
	}
	wanted, _, err := xlanguage.ParseAcceptLanguage(cut(r.Header.Get("Accept-Language"), 256))
	if err == nil {
		if _, at, sure := s.matcher.Match(wanted...); sure != xlanguage.No {
			l.words = s.words[languages()[at].Tag]
		}
	}
	return l
}

// newMatcher chooses among our languages.
func newMatcher() xlanguage.Matcher {
	var tags []xlanguage.Tag
	for _, l := range languages() {
		tags = append(tags, xlanguage.MustParse(l.Tag))
	}
	return xlanguage.NewMatcher(tags)
}

// changeLook keeps a choice of language or colours and goes back to the page. It
// changes nothing on the box, so strangers may, too.
func (s *site) changeLook(w http.ResponseWriter, r *http.Request, _ caller) error {
	keep := func(name, value string, known bool) {
		if !known {
			dropCookie(w, r, name)
			return
		}
		c := newCookie(r, name, value)
		c.MaxAge = int(lookFor / time.Second)
		http.SetCookie(w, c)
	}
	if tag := r.PostFormValue("lang"); tag != "" {
		_, known := s.words[tag]
		keep(languageCookie, tag, known)
	}
	if theme := r.PostFormValue("theme"); theme != "" {
		keep(themeCookie, theme, slices.Contains(themes(), theme))
	}
	http.Redirect(w, r, withoutLanguage(localPath(r.PostFormValue("next"))), http.StatusSeeOther)
	return nil
}

// withoutLanguage takes ?lang= off, which would be stronger than the choice.
func withoutLanguage(next string) string {
	u, err := url.Parse(next)
	if err != nil || !u.Query().Has("lang") {
		return next
	}
	q := u.Query()
	q.Del("lang")
	u.RawQuery = q.Encode()
	return u.String()
}
