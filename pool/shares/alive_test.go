package shares

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"
)

// The log answers while its loop writes, not while the database holds it up, and
// when it has ended there is nothing to wait for.
func TestAlive(t *testing.T) {
	l, stop := start(t, filepath.Join(t.TempDir(), "shares.db"), quiet())
	if err := l.Alive(t.Context()); err != nil {
		t.Errorf("idle: %v", err)
	}
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- l.DB().Update(context.Background(), func(*sql.Tx) error { close(begun); <-release; return nil })
	}()
	<-begun
	l.Reject("", "", "stale", time.Now()) // something to write
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.Alive(ctx); err == nil {
		t.Error("it says that it is alive while the database is stuck")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := l.Alive(t.Context()); err != nil {
		t.Errorf("when the database goes on: %v", err)
	}
	stop()
	if err := l.Alive(t.Context()); err != nil {
		t.Errorf("after its end: %v", err)
	}
}
