package webui

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// shutdownPatience is how long requests that are under way may take to end.
const shutdownPatience = 5 * time.Second

// Serve serves handler on ln until ctx ends, then lets the requests that are
// under way finish, and returns nil. Live streams end with ctx. At most 512
// connections are open at a time, and 64 from one visitor.
func Serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	return run(ctx, newServer(ctx, handler), newCrowd(ln))
}

// ServeTLS is Serve over TLS, with HTTP/2. What goes wrong before a request is there
// is told to log for debugging only: each browser that does not know the certificate
// yet hangs up once.
func ServeTLS(ctx context.Context, ln net.Listener, handler http.Handler, config *tls.Config, log *slog.Logger) error {
	server := newServer(ctx, handler)
	server.TLSConfig = config
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	return run(ctx, server, newCrowd(ln))
}

// run runs server until ctx ends, and for shutdownPatience after that.
func run(ctx context.Context, server *http.Server, ln net.Listener) error {
	failed := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(ln, "", "")
		} else {
			failed <- server.Serve(ln)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve pages: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // cuts off what did not end in time
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

// newServer bounds what a client can hold open by being slow: to send a
// request, to read its answer, or to come back for more. A live stream moves
// the deadlines of its own connection.
func newServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}
