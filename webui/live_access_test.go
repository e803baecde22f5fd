package webui

import (
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// ended waits for the end of a stream, and fails the test when more of the page comes.
func (l listening) ended() {
	l.t.Helper()
	told := false
	for l.lines.Scan() {
		text := l.lines.Text()
		if strings.Contains(text, "newcomer") {
			l.t.Error("a part was sent to somebody who may not look any more")
		}
		told = told || text == "event: signed-out"
	}
	if !told || l.lines.Err() != nil {
		l.t.Errorf("the stream says that it is over: %v, %v", told, l.lines.Err())
	}
}

// What is taken away from somebody who has a page open is not shown to them once more:
// the session, the place where operators may come from, the look of strangers.
func TestStreamsEndWithTheRight(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, part string
		signedIn   bool
		take       func(w *visit)
	}{
		"session": {"/workers", "live-workers", true, func(w *visit) {
			if err := w.site.store.end(w.t.Context(), w.sessionCookie().Value); err != nil {
				w.t.Error(err)
			}
		}},
		"observer pages": {"/observer/" + aliceAddress, "live-miner", false, func(w *visit) { w.box.change(func(s *pool.Settings) { s.ObserverPages = false }) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, newGolden())
			if tc.signedIn {
				w.signIn()
			}
			live := w.listen(tc.path)
			live.part(tc.part)
			tc.take(w)
			w.box.setWorkers([]workerLine{{Address: aliceAddress, Name: "newcomer", Status: "online"}})
			w.box.changes <- event{Kind: "worker"}
			live.ended()
		})
	}
}
