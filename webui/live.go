package webui

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	pingEvery    = 15 * time.Second
	calm         = 4 * time.Second        // a page is made again this often at most
	burst        = 200 * time.Millisecond // events so close together are answered by one edition
	writeLimit   = 10 * time.Second       // a reader that does not read is let go
	maxStreams   = 64
	maxStrangers = 48 // of them, so that operators always have room
	maxPerViewer = 4
)

// viewer is whom a stream counts for: a session, or a stranger by address.
type viewer struct {
	key      string
	signedIn bool
}

func viewerOf(who caller) viewer {
	if who.signedIn() {
		return viewer{who.session.ID, true}
	}
	return viewer{visitor(who.IP).String(), false}
}

// streams counts open streams: browsers keep at most six connections to one
// host, and a flood of them should not cost the pool its memory.
type streams struct {
	mu        sync.Mutex
	total     int
	strangers int
	viewers   map[viewer]int
}

func newStreams() *streams { return &streams{viewers: map[viewer]int{}} }

// open takes a place for v, or reports that there is none.
func (s *streams) open(v viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxStreams || s.viewers[v] >= maxPerViewer || !v.signedIn && s.strangers >= maxStrangers {
		return false
	}
	s.add(v, 1)
	return true
}

func (s *streams) close(v viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(v, -1)
	if s.viewers[v] == 0 {
		delete(s.viewers, v)
	}
}

func (s *streams) add(v viewer, n int) {
	s.total += n
	s.viewers[v] += n
	if !v.signedIn {
		s.strangers += n
	}
}

// stream keeps an EventSource supplied with the live parts of a page: all of
// them at once, and then, whenever something happened (or with each ping, for
// what moves with time), those that look different now. It ends when the
// browser leaves, the server stops, or the session does.
func (s *site) stream(w http.ResponseWriter, r *http.Request, who caller, p livePage) error {
	viewer := viewerOf(who)
	if !s.streams.open(viewer) {
		return throttled(pingEvery)
	}
	defer s.streams.close(viewer)

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)

	feed := &feed{w: w, control: http.NewResponseController(w), sent: map[string]string{}}
	_ = feed.control.SetReadDeadline(time.Time{}) // a server's ReadTimeout is about requests, not about how long one lasts
	if feed.write("retry: 5000\n\n") != nil {
		return nil
	}
	came := time.Now() // an edition from before may be older than the page that the browser has
	showing, leave := s.watch(r, who, p)
	defer leave()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()

	for {
		if !s.stillWelcome(r, who, p.name) {
			_ = feed.write("event: signed-out\ndata: {}\n\n")
			return nil
		}
		edition := showing.latest.Load()
		if !edition.begun.Before(came) && feed.send(edition.parts) != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ping.C:
			if feed.write(": ping\n\n") != nil {
				return nil
			}
		case <-edition.newer:
		}
	}
}

// stillWelcome asks again what has let the viewer in, before anything more is shown:
// the session, which may have been ended elsewhere, and the settings that say from
// where operators come and whether strangers may look.
func (s *site) stillWelcome(r *http.Request, who caller, name string) bool {
	if !who.signedIn() {
		return name != "observer" || s.box.Rules().ObserverPages
	}
	_, _, err := s.store.load(r.Context(), who.session.ID)
	return err == nil && s.mayOperate(who.IP)
}

// feed writes server-sent events and remembers what it sent.
type feed struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string]string // by id; of a shared page, the same texts for everybody
}

// send sends the parts that the browser does not have already.
func (f *feed) send(parts []livePart) error {
	var news strings.Builder
	for _, p := range parts {
		if f.sent[p.id] != p.event {
			news.WriteString(p.event)
			f.sent[p.id] = p.event
		}
	}
	if news.Len() == 0 {
		return nil
	}
	return f.write(news.String())
}

// write sends text now. It moves the connection's write deadline, which would
// otherwise end every stream after the server's WriteTimeout.
func (f *feed) write(text string) error {
	_ = f.control.SetWriteDeadline(time.Now().Add(writeLimit)) // not every writer has one
	if _, err := io.WriteString(f.w, text); err != nil {
		return err
	}
	return f.control.Flush()
}
