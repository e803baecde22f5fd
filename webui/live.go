package webui

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	pingEvery    = 15 * time.Second
	calm         = 4 * time.Second        // a page is rendered again this often at most
	burst        = 200 * time.Millisecond // events so close together are answered by one rendering
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
func (s *site) stream(w http.ResponseWriter, r *http.Request, who caller, name string, gather pageFunc) error {
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

	feed := &feed{w: w, control: http.NewResponseController(w), sent: map[string][32]byte{}}
	_ = feed.control.SetReadDeadline(time.Time{}) // a server's ReadTimeout is about requests, not about how long one lasts
	if feed.write("retry: 5000\n\n") != nil {
		return nil
	}
	events, cancel := s.box.Changes()
	defer func() { cancel() }()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()

	for {
		if !s.stillWelcome(r, who, name) {
			_ = feed.write("event: signed-out\ndata: {}\n\n")
			return nil
		}
		rendered := time.Now()
		if err := s.renew(r, who, name, gather, feed); err != nil {
			return nil
		}
		pinged := false
		select {
		case <-r.Context().Done():
			return nil
		case <-ping.C:
			if feed.write(": ping\n\n") != nil {
				return nil
			}
			pinged = true
		case <-s.stirred(name):
		case _, ok := <-events:
			if !ok { // we were too slow and have been dropped: start over
				cancel()
				events, cancel = s.box.Changes()
			}
		}
		// What comes after a quiet time is shown at once; of what comes without a pause,
		// one rendering in a while.
		if wait := max(burst, calm-time.Since(rendered)); !pinged && !settle(r.Context(), events, wait) {
			return nil
		}
	}
}

// settle lets a burst of events pass, so that it costs one rendering.
func settle(ctx context.Context, events <-chan event, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case _, ok := <-events:
			if !ok {
				return true // noticed by the caller's next receive
			}
		}
	}
}

// renew renders the live parts and sends those that changed. A page that
// cannot be gathered just now is tried again later.
func (s *site) renew(r *http.Request, who caller, name string, gather pageFunc, feed *feed) error {
	data, err := gather(r, who)
	if err != nil {
		s.log.Debug("Live page not gathered", "page", name, "err", err)
		return nil
	}
	p := s.fill(r, who, name, data)
	sheets, err := s.sheets()
	if err != nil {
		return err
	}
	for _, id := range sheets[p.Lang()][name].live {
		html, err := sheets.render(name, id, p)
		if err != nil {
			s.log.Error("Live part not rendered", "page", name, "part", id, "err", err)
			continue
		}
		if err := feed.send(id, html); err != nil {
			return err
		}
	}
	return nil
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
	sent    map[string][32]byte
}

// send sends the part unless the browser has it already.
func (f *feed) send(id string, html []byte) error {
	sum := sha256.Sum256(html)
	if f.sent[id] == sum {
		return nil
	}
	data, err := json.Marshal(struct {
		ID   string `json:"id"`
		HTML string `json:"html"`
	}{id, string(html)})
	if err != nil {
		return fmt.Errorf("encode part: %w", err)
	}
	if err := f.write("event: part\ndata: " + string(data) + "\n\n"); err != nil {
		return err
	}
	f.sent[id] = sum
	return nil
}

// write sends text now. It moves the connection's write deadline, which would
// otherwise end every stream after the server's WriteTimeout.
func (f *feed) write(text string) error {
	_ = f.control.SetWriteDeadline(time.Now().Add(writeLimit)) // not every writer has one
	if _, err := f.w.Write([]byte(text)); err != nil {
		return err
	}
	return f.control.Flush()
}
