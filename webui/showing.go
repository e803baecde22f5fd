package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// sight is what streams must have in common to get the same live parts. There is
// nothing in those that does not follow from it and from the state of the box: a
// shared page is made from a request and for a caller of whom no more is left than
// this, so that nobody can see through it what is another's.
type sight struct {
	page, path, lang string
	operator         operator      // nobody: of a stranger
	only             *http.Request // on a page that is not shared, the one that asked for it
}

// showing makes the live parts of a page again whenever something happened, for
// all streams that have the sight.
type showing struct {
	latest   atomic.Pointer[edition]
	asked    chan struct{} // somebody came, who wants a new edition now
	stop     context.CancelFunc
	ended    chan struct{}
	watchers int // guarded by showings.mu
}

// edition is the live parts of a page at a moment.
type edition struct {
	begun time.Time // nothing is missing that happened before
	parts []livePart
	newer chan struct{} // closed when this is no longer the latest
}

// livePart is one element of the page, as the event that a browser gets.
type livePart struct{ id, event string }

func newPart(sheets pages, id string, p *page) (livePart, error) {
	html, err := sheets.render(p.Name, id, p)
	if err != nil {
		return livePart{}, err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // this is no script
	err = e.Encode(struct {
		ID   string `json:"id"`
		HTML string `json:"html"`
	}{id, string(html)})
	if err != nil {
		return livePart{}, fmt.Errorf("encode part: %w", err)
	}
	return livePart{id, "event: part\ndata: " + text.String() + "\n"}, nil
}

// showings are those that somebody watches. They end with their last watcher.
type showings struct {
	mu sync.Mutex
	on map[sight]*showing
}

func newShowings() *showings { return &showings{on: map[sight]*showing{}} }

// join returns the showing of a sight, which run keeps going until its context ends.
// An edition begins after the call.
func (s *showings) join(at sight, run func(context.Context, *showing)) *showing {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, ok := s.on[at]
	if ok {
		sh.ask()
	} else {
		ctx, stop := context.WithCancel(context.Background()) // its watchers come and go
		sh = &showing{asked: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
		sh.latest.Store(&edition{newer: make(chan struct{})})
		s.on[at] = sh
		go func() {
			defer close(sh.ended)
			run(ctx, sh)
		}()
	}
	sh.watchers++
	return sh
}

func (s *showings) leave(at sight, sh *showing) {
	s.mu.Lock()
	sh.watchers--
	last := sh.watchers == 0
	if last {
		delete(s.on, at)
	}
	s.mu.Unlock()
	if last {
		sh.stop()
		<-sh.ended
	}
}

// ask makes sure that an edition begins after now.
func (sh *showing) ask() {
	select {
	case sh.asked <- struct{}{}:
	default: // it was asked already
	}
}

func (sh *showing) publish(begun time.Time, parts []livePart) {
	old := sh.latest.Swap(&edition{begun: begun, parts: parts, newer: make(chan struct{})})
	close(old.newer)
}

// watch joins the showing of a page until leave is called.
func (s *site) watch(r *http.Request, who caller, p livePage) (sh *showing, leave func()) {
	at := sight{page: p.name, path: r.URL.RequestURI(), lang: s.lookOf(r).words.Lang, operator: who.Operator}
	if p.shared {
		r, who = bare(r), caller{Operator: who.Operator}
	} else {
		at.only = r
	}
	sh = s.shown.join(at, func(ctx context.Context, sh *showing) {
		s.makeEditions(sh, r.WithContext(ctx), who, at, p.gather)
	})
	return sh, func() { s.shown.leave(at, sh) }
}

// bare is the request without anything that tells who sent it, and how.
func bare(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Header, r.Host, r.RemoteAddr, r.TLS = http.Header{}, "", "", nil
	return r
}

// makeEditions is what goes on while somebody watches: an edition, a wait until there is
// a reason for another one, and so on until the request's context ends. What comes after
// a quiet time is shown at once; of what comes without a pause, one edition in a while.
func (s *site) makeEditions(sh *showing, r *http.Request, who caller, at sight, gather pageFunc) {
	ctx := r.Context()
	for ctx.Err() == nil {
		events, cancel := s.box.Changes()
		stirred, begun := s.stirred(at.page), time.Now()
		parts, err := s.liveParts(r, who, at, gather)
		if err == nil {
			sh.publish(begun, parts)
		} else { // tried again later
			s.log.Debug("Live page not made", "page", at.page, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-sh.asked:
		case <-time.After(pingEvery): // for what moves with time
		case <-events:
			sh.rest(ctx, begun)
		case <-stirred:
			sh.rest(ctx, begun)
		}
		cancel()
	}
}

// rest lets a burst of events pass, so that it costs one edition.
func (sh *showing) rest(ctx context.Context, begun time.Time) {
	select {
	case <-ctx.Done():
	case <-sh.asked:
	case <-time.After(max(burst, calm-time.Since(begun))):
	}
}

// liveParts makes the live parts of a page once.
func (s *site) liveParts(r *http.Request, who caller, at sight, gather pageFunc) ([]livePart, error) {
	data, err := gather(r, who)
	if err != nil {
		return nil, err
	}
	p := s.fill(r, who, at.page, data)
	p.look = look{words: s.words[at.lang]}
	sheets, err := s.sheets()
	if err != nil {
		return nil, err
	}
	var parts []livePart
	for _, id := range sheets[at.lang][at.page].live {
		part, err := newPart(sheets, id, p)
		if err != nil {
			s.log.Error("Live part not rendered", "page", at.page, "part", id, "err", err)
			continue
		}
		parts = append(parts, part)
	}
	return parts, nil
}
