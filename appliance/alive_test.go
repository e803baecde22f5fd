package appliance

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// fed runs a watchdog for a while and returns how often it was fed.
func fed(t *testing.T, lasts time.Duration, parts ...part) int {
	t.Helper()
	times := 0
	w := watchdog{period: time.Minute, log: slog.New(slog.DiscardHandler), tell: func(state string) {
		if state == "WATCHDOG=1" {
			times++
		}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	w.run(ctx, func() []part { return parts }, func() string { return "" })
	return times
}

func TestWatchdog(t *testing.T) {
	good := part{"good", func(context.Context) error { return nil }}
	full := part{"full", func(context.Context) error { return errors.New("disk full") }}
	slow := part{"slow", func(ctx context.Context) error { time.Sleep(20 * time.Second); return nil }}
	silent := part{"silent", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	deaf := part{"deaf", func(context.Context) error { time.Sleep(10 * time.Minute); return nil }}
	for _, c := range []struct {
		name  string
		parts []part
		want  bool
	}{
		{"all answer", []part{good, good}, true},
		{"an error is an answer", []part{good, full}, true},
		{"a slow disk", []part{good, slow}, true},
		{"one is silent", []part{good, silent}, false},
		{"one does not even look at the time", []part{deaf, good}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Each minute must have its feeding, or systemd ends the pool.
				if got := fed(t, 5*time.Minute, c.parts...); (got >= 5) != c.want || !c.want && got > 0 {
					t.Errorf("fed %d times in five minutes", got)
				}
				time.Sleep(time.Hour) // until what is deaf has ended
			})
		})
	}
}

// A ledger whose writer is stuck answers nobody.
func TestWatchdogStuckLedger(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w := watchdog{period: 300 * time.Millisecond, log: slog.New(slog.DiscardHandler)}
	parts := []part{{"ledger", db.Touch}}
	if !w.answered(t.Context(), parts) {
		t.Error("a ledger that works does not answer")
	}
	begun, release := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- db.Update(context.Background(), func(*sql.Tx) error { close(begun); <-release; return nil })
	}()
	<-begun
	if w.answered(t.Context(), parts) {
		t.Error("a ledger whose writer is stuck answers")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What systemd hears of a box: that it is ready when nothing but its pages is there,
// what it waits for, that it is alive, and that it stops.
func TestTellsSystemd(t *testing.T) {
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "notify")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	t.Setenv("WATCHDOG_USEC", "400000")
	t.Setenv("PATH", "") // no node
	t.Setenv("DMPOOL_BITCOIND", "")
	box := filepath.Join(dir, "box")
	if err := SetUp(t.Context(), box, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Config{DataDir: box, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	var heard []string
	hear := func(word string) {
		t.Helper()
		buffer := make([]byte, 1024)
		for {
			n, err := manager.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			heard = append(heard, string(bytes.TrimSpace(buffer[:n])))
			if strings.Contains(heard[len(heard)-1], word) {
				return
			}
		}
	}
	for _, word := range []string{"READY=1", "STATUS=", "WATCHDOG=1", "WATCHDOG=1"} {
		hear(word)
	}
	cancel()
	hear("STOPPING=1")
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Error(err)
	}
	if len(heard) == 0 || heard[0] != "READY=1" {
		t.Errorf("systemd heard %q, want READY=1 first", heard)
	}
}
