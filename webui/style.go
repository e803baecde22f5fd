package webui

import (
	"html/template"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// style is how the operator wants all pages to write times and amounts, and where
// they lead for more about a block or a transaction.
type style struct{ rules pool.WindowRules }

func styleOf(rules pool.Settings) style {
	w := rules.WindowRules
	w.AdminFrom, w.ObserverPages, w.Metrics = "", false, "" // say who may see, not how it looks
	return style{w}
}

// plainStyle is the style of a new box, in which the press has its pages ready.
func plainStyle() style { return styleOf(pool.DefaultSettings("")) }

// zone is that of the pages, UTC where it cannot be had.
func (s style) zone() *time.Location {
	zone, err := time.LoadLocation(s.rules.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// in is the same words in a style.
func (w *words) in(s style) *words {
	styled := *w
	styled.style, styled.zone = s, s.zone()
	return &styled
}

// explorer is where the block explorer shows a block or a transaction, empty when
// the operator has named none.
func (w *words) explorer(kind, id string) string { return w.style.rules.ExplorerLink(kind, id) }

// zoneName is the name of the zone in which the page is written.
func (w *words) zoneName() string { return w.zone.String() }

// tick is a moment on the axis of a chart.
func (w *words) tick(show string, at time.Time) template.HTML {
	return w.time(at, show, "time."+show)
}

// time writes a moment in the page's zone by the layout that the catalogue has under
// key; the script writes it again in the reader's own.
func (w *words) time(at time.Time, show, key string) template.HTML {
	return template.HTML(`<time datetime="` + stamp(at) + `" data-show="` + show + `">` +
		template.HTMLEscapeString(w.written(at, key)) + `</time>`)
}

func (w *words) written(at time.Time, key string) string { return at.In(w.zone).Format(w.must(key)) }

// styled are the pages in the style of the settings. They are parsed again when
// somebody asks for the first one after a change.
type styled struct {
	mu    sync.Mutex
	style style
	pages pages // nil: the press has them
}

// sheets returns the pages in the style of the settings.
func (s *site) sheets() (pages, error) {
	want := styleOf(s.box.Rules())
	s.styled.mu.Lock()
	defer s.styled.mu.Unlock()
	switch {
	case want == plainStyle():
		return s.pages, nil
	case s.styled.pages != nil && s.styled.style == want:
		return s.styled.pages, nil
	}
	all, err := parsePages(s.assets, s.words, want)
	if err != nil {
		return nil, err
	}
	s.styled.style, s.styled.pages = want, all
	return all, nil
}
