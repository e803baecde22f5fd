package stratum

import (
	"context"
	"net"
	"testing"
	"time"
)

// The answer comes through the loops: it comes again and again while they go
// round, and miners are let in as before.
func TestAlive(t *testing.T) {
	server := NewServer(Config{}, rowBackend())
	if err := server.Alive(t.Context()); err != nil {
		t.Errorf("a server without a port: %v", err)
	}
	addr := serve(t, server)
	awaitPort(server)
	for range 3 {
		if err := server.Alive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if conn := dial(t, addr); conn == nil {
		t.Fatal("no connection after the port was asked")
	}
	if err := server.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

// What holds a loop up holds up the answer.
func TestAliveStuck(t *testing.T) {
	asked := func(server *Server) error {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // the sessions are looked after every second
		defer cancel()
		return server.Alive(ctx)
	}
	t.Run("accepting", func(t *testing.T) {
		server := NewServer(Config{}, rowBackend())
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held := &heldListener{TCPListener: ln.(*net.TCPListener), free: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(ctx, held) }()
		awaitPort(server)
		if err := asked(server); err == nil {
			t.Error("it says that it is alive while it accepts nobody")
		}
		close(held.free)
		if err := server.Alive(t.Context()); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("looking after sessions", func(t *testing.T) {
		server := NewServer(Config{}, rowBackend())
		serve(t, server)
		awaitPort(server)
		server.publishing.Lock()
		err := asked(server)
		server.publishing.Unlock()
		if err == nil {
			t.Error("it says that it is alive while no job can go out")
		}
	})
}

func awaitPort(server *Server) {
	for len(server.openPorts()) == 0 {
		time.Sleep(time.Millisecond)
	}
}

// heldListener accepts nobody until it is freed.
type heldListener struct {
	*net.TCPListener
	free chan struct{}
}

func (h *heldListener) Accept() (net.Conn, error) {
	<-h.free
	return h.TCPListener.Accept()
}
