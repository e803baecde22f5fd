package webui

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serve runs Serve on a loopback port until the test ends.
func serve(t *testing.T, run func(ctx context.Context, ln net.Listener) error) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const plainRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

// One visitor gets 64 connections; the next is closed unanswered, until one of
// them has gone.
func TestConnectionsAreBounded(t *testing.T) {
	addr := serve(t, func(ctx context.Context, ln net.Listener) error {
		return Serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	})
	answered := func(conn net.Conn) bool {
		if _, err := io.WriteString(conn, plainRequest); err != nil {
			return false
		}
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.Contains(line, "204")
	}
	var conns []net.Conn
	for i := range maxConnsPerOne {
		conns = append(conns, dial(t, addr))
		if !answered(conns[i]) {
			t.Fatalf("connection %d of %d was not answered", i+1, maxConnsPerOne)
		}
	}
	if answered(dial(t, addr)) {
		t.Fatalf("a visitor has more than %d connections", maxConnsPerOne)
	}
	_ = conns[0].Close()
	for !answered(dial(t, addr)) { // the server notices a moment later
		if t.Context().Err() != nil {
			t.Fatal("a place that became free was not given again")
		}
	}
}

// Whoever they are, strangers together do not get more than 512.
func TestCrowdIsBounded(t *testing.T) {
	c := newCrowd(nil)
	who := func(i int) string { return "10.0." + string(rune('0'+i%10)) + ".1:9" }
	for i := range maxConns {
		if !c.enter(visitor(socketIP(who(i)))) {
			t.Fatalf("place %d of %d was refused", i, maxConns)
		}
	}
	newcomer := visitor(socketIP("10.9.9.9:9"))
	if c.enter(newcomer) {
		t.Errorf("more than %d connections are open", maxConns)
	}
	c.leave(visitor(socketIP(who(0))))
	if !c.enter(newcomer) {
		t.Error("a place that became free was not given again")
	}
}

// A client that asks and never reads is let go: the answers that it does not
// take block the handler only as long as the server's WriteTimeout.
func TestSilentReaderIsLetGo(t *testing.T) {
	gone := make(chan error, 1)
	page := []byte(strings.Repeat("x", 1<<20))
	addr := serve(t, func(ctx context.Context, ln net.Listener) error {
		server := newServer(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(page); err != nil {
					gone <- err
					return
				}
			}
		}))
		if server.WriteTimeout == 0 {
			t.Error("the server waits for readers for ever")
		}
		server.WriteTimeout = 100 * time.Millisecond
		return run(ctx, server, ln)
	})
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, plainRequest); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-gone:
		t.Log("let go:", err)
	case <-t.Context().Done():
		t.Fatal("the connection is still open")
	case <-time.After(30 * time.Second):
		t.Fatal("the connection is still open")
	}
}

// A live stream lasts longer than the WriteTimeout of the server that it is on.
func TestStreamOutlivesWriteTimeout(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	addr := serve(t, func(ctx context.Context, ln net.Listener) error {
		server := newServer(ctx, w.site.guarded(w.site.register()))
		server.WriteTimeout = 100 * time.Millisecond
		return run(ctx, server, ln)
	})
	w.url = "http://" + addr // the cookie is for this host, whatever the port
	live := w.listen("/workers")
	live.part("live-workers")
	w.box.setWorkers([]workerLine{{Address: bobAddress, Name: "newcomer", Status: "online"}})
	w.box.changes <- event{Kind: "worker"} // answered after a moment of calm
	if second := live.part("live-workers"); !strings.Contains(second, "newcomer") {
		t.Errorf("second part = %s", second)
	}
}
