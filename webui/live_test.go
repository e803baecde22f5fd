package webui

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// listening is an open live stream.
type listening struct {
	t     testing.TB
	lines *bufio.Scanner
}

// listen opens the live stream of a page, as an EventSource does.
func (w *visit) listen(path string, change ...func(*http.Request)) listening {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), 30*time.Second)
	w.t.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for _, c := range change {
		c(req)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		w.t.Fatalf("Content-Type %q", ct)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20) // a part is one line
	return listening{w.t, lines}
}

// part waits for the next event about a part of the page.
func (l listening) part(id string) string {
	l.t.Helper()
	for l.lines.Scan() {
		if strings.HasPrefix(l.lines.Text(), `data: {"id":"`+id+`"`) {
			return l.lines.Text()
		}
	}
	l.t.Fatalf("no part %s: %v", id, l.lines.Err())
	return ""
}

// The same URL that is a page for people is a stream for an EventSource: first
// every live part, then those that changed.
func TestLive(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	live := w.listen("/workers")
	if first := live.part("live-workers"); !strings.Contains(first, "bitaxe1") || strings.Contains(first, "<script>") {
		t.Errorf("first part = %s", first)
	}
	w.box.setWorkers([]workerLine{{Address: bobAddress, Name: "newcomer", Status: "online"}})
	w.box.changes <- event{Kind: "worker"}
	if second := live.part("live-workers"); !strings.Contains(second, "newcomer") {
		t.Errorf("second part = %s", second)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := newStreams()
	operator := func(i int) viewer { return viewer{key: fmt.Sprint("session ", i), signedIn: true} }
	for range maxPerViewer {
		if !s.open(operator(0)) {
			t.Fatal("a place within the limit was refused")
		}
	}
	if s.open(operator(0)) {
		t.Error("one session got more streams than allowed")
	}
	for i := range maxStreams - maxPerViewer {
		if !s.open(operator(i + 1)) {
			t.Fatalf("place %d of all was refused", i)
		}
	}
	if s.open(operator(maxStreams)) {
		t.Error("all together got more streams than allowed")
	}
	s.close(operator(0))
	if !s.open(operator(0)) {
		t.Error("a place that became free was not given again")
	}
}

// However many strangers come, from however many addresses of theirs, there is
// room left for those who are signed in.
func TestStrangersLeaveRoom(t *testing.T) {
	s := newStreams()
	stranger := func(format string, i int) viewer {
		return viewerOf(caller{IP: netip.MustParseAddr(fmt.Sprintf(format, i))})
	}
	given := 0
	for i := range 3 * maxStreams {
		given += btoi(s.open(stranger("2001:db8::%x", i+1)))
	}
	if given != maxPerViewer {
		t.Errorf("a household with many addresses got %d streams, want %d", given, maxPerViewer)
	}
	for i := range 3 * maxStreams {
		given += btoi(s.open(stranger("10.0.0.%d", i+1)))
	}
	if given != maxStrangers {
		t.Errorf("strangers got %d streams, want %d", given, maxStrangers)
	}
	for i := range maxStreams - maxStrangers {
		if !s.open(viewer{key: fmt.Sprint("session ", i/maxPerViewer), signedIn: true}) {
			t.Fatalf("strangers took the place %d of those who are signed in", i)
		}
	}
	s.close(stranger("10.0.0.%d", 1))
	s.close(viewer{key: "session 0", signedIn: true})
	if !s.open(stranger("10.0.0.%d", 1)) {
		t.Error("a place that became free was not given again")
	}
}
