package webui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
)

//go:embed templates/*.html
var templateFS embed.FS

// page is what every template gets: what base.html needs, and the page's own
// typed struct in View.
type page struct {
	Name      string // the template, and what the menu marks
	Pool      identity
	Operator  operator
	Token     string
	Health    *health // for operators only
	Now       time.Time
	Live      bool      // the page streams its live parts
	Path      string    // of the request, for forms that come back to it
	Ends      time.Time // of the session, see caller
	Final     bool
	Secure    string      // this page over TLS, for an operator who has it without, see secureURL
	Observing bool        // strangers may look up a miner
	Factor    factorState // of the operator
	Alerts    int         // that nobody has dismissed
	look
	View any
}

// Lang is the page's language, and Language what it calls itself.
func (p *page) Lang() string     { return p.words.Lang }
func (p *page) Language() string { return p.words.Name }

// Languages are those to choose from.
func (*page) Languages() []language { return languages() }

// Script is what static/app.js says, as JSON.
func (p *page) Script() string { return p.words.script }

// EndsAt is Ends for the script.
func (p *page) EndsAt() string { return p.Ends.Format(time.RFC3339) }

// identity is what the header of every page says.
type identity struct {
	Name, Network string
	New           bool // it is not set up yet, so it has no pages but those of the set-up
}

// livePrefix begins the names of templates that fill the element with that id
// and are sent again when something changed.
const livePrefix = "live-"

// paper is one parsed page: base.html, the parts and the page's own file.
type paper struct {
	tmpl *template.Template
	live []string
}

// pages are all papers by language and name.
type pages map[string]map[string]paper

// press is all that pages are made of. It is the same for every box, and nothing
// changes it once it is made.
type press struct {
	words  map[string]*words // by language
	alerts alert.Phrases
	pages  pages
	assets assets
	api    *apiDoc
}

func newPress() (*press, error) {
	assets, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	words, err := loadWords()
	if err != nil {
		return nil, fmt.Errorf("load texts: %w", err)
	}
	pages, err := parsePages(assets, words, plainStyle())
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	api, err := readAPIDoc()
	if err != nil {
		return nil, err
	}
	alerts, err := alert.LoadPhrases()
	if err != nil {
		return nil, fmt.Errorf("load texts of alerts: %w", err)
	}
	return &press{words: words, alerts: alerts, pages: pages, assets: assets, api: api}, nil
}

// parsePages parses every page once for each language, in a style. A template that does not
// parse is found when the program starts and not when somebody opens the page.
func parsePages(a assets, languages map[string]*words, how style) (pages, error) {
	icons, err := loadIcons()
	if err != nil {
		return nil, err
	}
	all := pages{}
	for lang, w := range languages {
		papers, err := parsePapers(a, w.in(how), icons)
		if err != nil {
			return nil, err
		}
		all[lang] = papers
	}
	return all, nil
}

func parsePapers(a assets, w *words, icons icons) (map[string]paper, error) {
	base, err := template.New("base.html").Funcs(functions(a, w, icons)).
		ParseFS(templateFS, "templates/base.html", "templates/part_*.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templateFS, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := map[string]paper{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "base" || strings.HasPrefix(name, "part_") {
			continue
		}
		tmpl, err := template.Must(base.Clone()).ParseFS(templateFS, file)
		if err != nil {
			return nil, err
		}
		p := paper{tmpl: tmpl}
		for _, t := range tmpl.Templates() {
			if strings.HasPrefix(t.Name(), livePrefix) {
				p.live = append(p.live, t.Name())
			}
		}
		slices.Sort(p.live)
		all[name] = p
	}
	return all, nil
}

// render executes one template of a page into memory.
func (p pages) render(name, part string, data *page) ([]byte, error) {
	sheet, ok := p[data.Lang()][name]
	if !ok {
		return nil, fmt.Errorf("render %s: no such page", name)
	}
	var buf bytes.Buffer
	if err := sheet.tmpl.ExecuteTemplate(&buf, part, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return buf.Bytes(), nil
}

// fill makes the page that the templates see.
func (s *site) fill(r *http.Request, who caller, name string, data any) *page {
	p := &page{
		Name:     name,
		Pool:     s.box.Identity(),
		Operator: who.Operator,
		Token:    who.Token,
		Now:      s.now().UTC(),
		Path:     comesFrom(r),
		Ends:     who.Ends.UTC(),
		Final:    who.Final,
		Secure:   s.secureURL(r, who),
		look:     s.lookOf(r),
		View:     data,

		Observing: s.box.Rules().ObserverPages,
	}
	if who.signedIn() {
		h := s.box.Health(r.Context())
		p.Health = &h
		var err error
		if p.Factor, err = s.box.Factor(r.Context(), who.Operator); err != nil && r.Context().Err() == nil { // else who asked has left
			s.log.Warn("Second factor not read", "err", err)
		}
		if p.Alerts, err = s.box.OpenAlerts(r.Context()); err != nil && r.Context().Err() == nil {
			s.log.Warn("Alerts not counted", "err", err)
		}
	}
	return p
}

// comesFrom is the page that the visitor is on: the one asked for, or after a form
// the one that held it.
func comesFrom(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return localPath(u.RequestURI())
}

// show renders a page and sends it, or says why it could not.
func (s *site) show(w http.ResponseWriter, r *http.Request, who caller, status int, name string, data any) {
	s.send(w, status, s.fill(r, who, name, data))
}

// again shows the page of a form once more, because something in it is wrong.
func (s *site) again(w http.ResponseWriter, r *http.Request, who caller, name string, data any) error {
	s.show(w, r, who, http.StatusUnprocessableEntity, name, data)
	return nil
}

func (s *site) send(w http.ResponseWriter, status int, p *page) {
	var html []byte
	sheets, err := s.sheets()
	if err == nil {
		html, err = sheets.render(p.Name, "base.html", p)
	}
	if err != nil {
		s.log.Error("Page not rendered", "page", p.Name, "err", err)
		http.Error(w, "This page could not be made. The log of the pool has the reason.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept, Accept-Language, Cookie")
	h.Set("Content-Language", p.Lang())
	w.WriteHeader(status)
	_, _ = w.Write(html)
}

// pageFunc gathers what a page shows; it writes nothing.
type pageFunc func(r *http.Request, who caller) (any, error)

// plain is page for what never changes while it is looked at, such as what is
// printed.
func (s *site) plain(name string, gather pageFunc) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		data, err := gather(r, who)
		if err != nil {
			return err
		}
		s.show(w, r, who, http.StatusOK, name, data)
		return nil
	}
}

// livePage is a page and what its stream sends.
type livePage struct {
	name   string
	gather pageFunc
	shared bool
}

// page turns a pageFunc into a handler: HTML for people, and for an
// EventSource on the same URL a stream of the page's live parts.
func (s *site) page(name string, gather pageFunc) handler {
	return s.live(livePage{name: name, gather: gather})
}

// shared is page where the live parts are the same for all who have the URL, the
// language and the operator in common, see sight. gather gets a caller and a request
// that say no more than that; forms, which hold a session's token, are in parts that
// are not live.
func (s *site) shared(name string, gather pageFunc) handler {
	return s.live(livePage{name: name, gather: gather, shared: true})
}

func (s *site) live(p livePage) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		if wantsStream(r) {
			return s.stream(w, r, who, p)
		}
		data, err := p.gather(r, who)
		if err != nil {
			return err
		}
		filled := s.fill(r, who, p.name, data)
		filled.Live = true
		s.send(w, http.StatusOK, filled)
		return nil
	}
}
