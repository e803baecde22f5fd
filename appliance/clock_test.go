package appliance

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockUnset(t *testing.T) {
	built := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	a := &Appliance{config: Config{Built: built}}
	for _, c := range []struct {
		now  time.Time
		want bool
	}{
		{time.Unix(0, 0), true},
		{built.AddDate(-2, 0, 0), true},
		{built.AddDate(0, -1, 0), false},
		{built.AddDate(9, 0, 0), false},
	} {
		if got := a.clockUnset(c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.now, got, c.want)
		}
	}
	if (&Appliance{}).clockUnset(time.Unix(0, 0)) {
		t.Error("without a date of the program any clock is right")
	}
}

// The bubble's clock begins in the year 2000, where no clock can be right, and
// gets to the program's date by itself.
func TestAwaitClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		a := &Appliance{config: Config{Built: time.Now().Add(clockSlack + time.Minute)}, log: slog.New(slog.NewTextHandler(&said, nil))}
		begun := time.Now()
		if err := a.awaitClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited < time.Minute || waited > time.Minute+2*clockLook {
			t.Errorf("it waited %s, want a minute", waited)
		}
		for _, part := range []string{"payouts and jobs wait", "timedatectl", "The clock is set"} {
			if !strings.Contains(said.String(), part) {
				t.Errorf("the log lacks %q: %s", part, &said)
			}
		}
		a.config.Built = time.Now().Add(2 * clockSlack)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := a.awaitClock(ctx); err == nil {
			t.Error("it went on with a clock that is not set")
		}
	})
}

// A box whose clock is not set has its pages, which say what waits, and neither
// node nor pool.
func TestClockHoldsTheBox(t *testing.T) {
	dir := t.TempDir()
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Config{DataDir: dir, Release: "1.0", Built: time.Now().Add(2 * clockSlack), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	c := a.checkNodeHealth(a.Node(ctx), Check{})
	if c.Status != Down || !strings.Contains(c.Reason, "clock of this machine says") || !strings.Contains(c.NextStep, "timedatectl") {
		t.Errorf("health says %+v", c)
	}
	if line := a.statusLine(); !strings.Contains(line, "clock of this machine") {
		t.Errorf("the status line is %q", line)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if a.Pool() != nil || a.runner.Load() != nil {
		t.Error("there is a pool, or a node")
	}
	if before, at, err := a.Upgraded(t.Context()); err != nil || before != "" || !at.IsZero() {
		t.Errorf("it wrote down the release: %q, %s, %v", before, at, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// The page about the program tells which version ran before.
func TestUpgraded(t *testing.T) {
	dir := t.TempDir()
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ release, before string }{{"1.0", ""}, {"1.0", ""}, {"1.1", "1.0"}, {"1.1", "1.0"}, {"1.2", "1.1"}} {
		a, err := New(t.Context(), Config{DataDir: dir, Release: c.release, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		before, at, err := a.Upgraded(t.Context())
		if err != nil || before != c.before || at.IsZero() {
			t.Errorf("%s: %q at %s, %v; want %q", c.release, before, at, err, c.before)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := (dataDir{dir}).lastRelease(t.Context(), "regtest"); got != "1.2" {
		t.Errorf("the last release is %q", got)
	}
}
