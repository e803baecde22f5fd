package bitcoind

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newFake returns a Child that runs the fake bitcoind in a part.
func newFake(t *testing.T, part string, change ...func(*ChildConfig)) (fake, *Child) {
	t.Helper()
	ports, err := FreePorts(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	f, config := fakeConfig(part, t.TempDir(), ports)
	config.Logger = slog.New(slog.DiscardHandler)
	for _, c := range change {
		c(&config)
	}
	return f, NewChild(config)
}

func TestChildReady(t *testing.T) {
	f, child := newFake(t, "plain")
	if s := child.State(); s.Phase != PhaseAbsent {
		t.Errorf("State before Run = %+v, want absent", s)
	}
	stop := running(t, child)
	s := untilPhase(t, child, PhaseReady)
	if !alive(s.PID) || s.Restarts != 0 || s.Class != "" || s.Since.IsZero() {
		t.Errorf("State = %+v, want a live process without restarts", s)
	}
	if log := child.Log(); !slices.Contains(log, "2026-11-22T20:25:44Z Fake version v29.0.0") {
		t.Errorf("Log = %q, want the node's output", log)
	}
	stop()

	if want, got := "start\nstop\n", f.get("events"); got != want {
		t.Errorf("events = %q, want %q: asked by RPC, and that was enough", got, want)
	}
}

func TestChildShowsWarmupWordForWord(t *testing.T) {
	f, child := newFake(t, "warm")
	defer running(t, child)()

	if s := untilPhase(t, child, PhaseWarming); s.Text != "Loading block index…" {
		t.Errorf("Text = %q, want the node's own words", s.Text)
	}
	f.set("go", "on")
	untilPhase(t, child, PhaseReady)

	// A ready node that stops answering is shown as such, and left alone.
	f.set("rpc", "Rescanning…")
	s := untilPhase(t, child, PhaseWarming)
	f.set("rpc", "ok")
	if again := untilPhase(t, child, PhaseReady); again.PID != s.PID || again.Restarts != 0 {
		t.Errorf("State = %+v, want process %d still, not restarted", again, s.PID)
	}
}

func TestChildComesBackAfterCrash(t *testing.T) {
	f, child := newFake(t, "crash")
	stop := running(t, child)

	var failures []State
	until(t, child, "ready", func(s State) bool {
		if s.Phase == PhaseFailed && (len(failures) == 0 || failures[len(failures)-1].Restarts != s.Restarts) {
			failures = append(failures, s)
		}
		return s.Phase == PhaseReady
	})
	if s := child.State(); s.Restarts != 2 {
		t.Errorf("Restarts = %d, want 2", s.Restarts)
	}
	for _, s := range failures {
		if s.Class != ClassCrash || !strings.Contains(s.Text, "Something broke") || s.PID != 0 {
			t.Errorf("State after a crash = %+v, want the reason that the node gave", s)
		}
	}
	stop()
	if want, got := "start\nstart\nstart\nstop\n", f.get("events"); got != want {
		t.Errorf("events = %q, want %q", got, want)
	}
}

func TestChildRestartsFromWhereItIsThen(t *testing.T) {
	var located atomic.Int32
	f, child := newFake(t, "plain", func(c *ChildConfig) {
		binary := c.Binary
		c.Binary = "/nowhere"
		c.Locate = func(context.Context) (string, error) {
			if located.Add(1) == 2 {
				return "", errors.New("the program is damaged")
			}
			return binary, nil
		}
		c.RetryMin = time.Hour // only a wish ends such a pause
	})
	stop := running(t, child)
	first := untilPhase(t, child, PhaseReady)

	child.Restart()
	if s := untilPhase(t, child, PhaseFailed); s.Class != ClassBinary || !strings.Contains(s.Text, "is damaged") {
		t.Errorf("State without a program = %+v", s)
	}
	child.Restart()
	second := untilPhase(t, child, PhaseReady)
	if second.PID == first.PID || second.Restarts != 1 {
		t.Errorf("State after a restart = %+v, want another process than %d, and one failure", second, first.PID)
	}
	child.Restart()
	until(t, child, "a third process", func(s State) bool { return s.Phase == PhaseReady && s.PID != second.PID })
	stop()
	if want, got := "start\nstop\nstart\nstop\nstart\nstop\n", f.get("events"); got != want {
		t.Errorf("events = %q, want %q: stopped in order each time", got, want)
	}
}

func TestChildComesBackAfterKill(t *testing.T) {
	_, child := newFake(t, "plain")
	defer running(t, child)()

	first := untilPhase(t, child, PhaseReady)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := until(t, child, "ready again", func(s State) bool { return s.Phase == PhaseReady && s.PID != first.PID })
	if second.Restarts != 1 {
		t.Errorf("Restarts = %d, want 1", second.Restarts)
	}
}

// reasons is a log handler that keeps the reasons why the node is not running.
type reasons struct {
	slog.Handler
	texts chan string
}

func (r reasons) Enabled(context.Context, slog.Level) bool { return true }

func (r reasons) Handle(ctx context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			select {
			case r.texts <- a.Value.String():
			default: // more than the test wants to see
			}
		}
		return true
	})
	return nil
}

// pause returns the next pause that was announced.
func (r reasons) pause(t *testing.T) string {
	t.Helper()
	select {
	case text := <-r.texts:
		_, pause, _ := strings.Cut(text, ". Next try in ")
		return pause
	case <-time.After(time.Minute):
		t.Fatal("no failure was reported")
		return ""
	}
}

func TestPauseDoublesUpToItsLimit(t *testing.T) {
	log := reasons{slog.DiscardHandler, make(chan string, 5)}
	_, child := newFake(t, "plain", func(c *ChildConfig) {
		c.Binary = filepath.Join(t.TempDir(), "none")
		c.RetryMin, c.RetryMax = time.Millisecond, 4*time.Millisecond
		c.Logger = slog.New(log)
	})
	defer running(t, child)()

	for n, want := range []string{"1ms.", "2ms.", "4ms.", "4ms.", "4ms."} {
		if got := log.pause(t); got != want {
			t.Errorf("pause %d = %s, want %s", n+1, got, want)
		}
	}
}

func TestHealthForgivesEarlierFailures(t *testing.T) {
	log := reasons{slog.DiscardHandler, make(chan string, 3)}
	_, child := newFake(t, "plain", func(c *ChildConfig) {
		c.HealthyAfter = time.Nanosecond
		c.Logger = slog.New(log)
	})
	defer running(t, child)()

	for n := range 3 {
		s := until(t, child, "ready", func(s State) bool { return s.Phase == PhaseReady && s.Restarts == n })
		if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if got, want := log.pause(t), "1ms."; got != want {
			t.Errorf("pause after failure %d = %s, want %s", n+1, got, want)
		}
	}
}

func TestChildWaitsForLockThatTheNodeReports(t *testing.T) {
	f, child := newFake(t, "lock")
	defer running(t, child)()

	s := until(t, child, "waiting for the lock", func(s State) bool { return s.Class == ClassLock })
	if s.Phase != PhaseStarting || s.Restarts != 0 {
		t.Errorf("State = %+v, want starting, for nothing has failed", s)
	}
	f.set("go", "on")
	if s := untilPhase(t, child, PhaseReady); s.Class != "" || s.Restarts != 0 {
		t.Errorf("State = %+v, want ready without restarts", s)
	}
}

// A daemon that is killed leaves a node that gets SIGTERM from the kernel and
// is still writing when the next daemon starts.
func TestChildWaitsForPredecessor(t *testing.T) {
	f, child := newFake(t, "slow")
	daemon, node, _ := startDaemon(t, "part:slow", f.dir)
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()

	defer running(t, child)()
	s := until(t, child, "waiting for the predecessor", func(s State) bool { return s.Class == ClassLock })
	if !strings.Contains(s.Text, "process "+strconv.Itoa(node)) {
		t.Errorf("Text = %q, want the predecessor %d named", s.Text, node)
	}
	f.set("go", "on")
	if s := untilPhase(t, child, PhaseReady); s.PID == node {
		t.Errorf("PID = %d, want a new process", s.PID)
	}
	if got := f.get("events"); !strings.HasPrefix(got, "start\nterm\nstart\n") {
		t.Errorf("events = %q, want the predecessor ended by SIGTERM before the next start", got)
	}
}

func TestChildStopsWhileStarting(t *testing.T) {
	_, child := newFake(t, "never")
	stop := running(t, child)
	until(t, child, "starting", func(s State) bool { return s.PID != 0 })
	stop() // there is no RPC to ask, so this must be SIGTERM
}

func TestChildStopOrder(t *testing.T) {
	tests := []struct {
		part   string
		change func(*ChildConfig)
		events string
	}{
		{"plain", func(*ChildConfig) {}, "start\nstop\n"},
		{
			"plain",
			func(c *ChildConfig) { c.Stop = func(context.Context) error { return errRefused } },
			"start\nterm\n",
		},
		{"lost-stop", func(c *ChildConfig) { c.TermAfter = time.Millisecond }, "start\nterm\n"},
		{
			"deaf",
			func(c *ChildConfig) { c.TermAfter, c.StopLimit = time.Millisecond, 200*time.Millisecond },
			"start\nterm\n", // and SIGKILL, of which nobody can tell
		},
	}
	for _, test := range tests {
		t.Run(test.part, func(t *testing.T) {
			f, child := newFake(t, test.part, test.change)
			stop := running(t, child)
			untilPhase(t, child, PhaseReady)
			stop()
			if diff := cmp.Diff(test.events, f.get("events")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChildNamesTheTakenPort(t *testing.T) {
	var taken net.Listener
	_, child := newFake(t, "plain", func(c *ChildConfig) {
		var listen net.ListenConfig
		var err error
		taken, err = listen.Listen(t.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Conf.ZMQPort)))
		if err != nil {
			t.Fatal(err)
		}
	})
	defer taken.Close()
	defer running(t, child)()

	s := until(t, child, "failed for the port", func(s State) bool { return s.Class == ClassPort })
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, want := range []string{"port " + port, "process " + strconv.Itoa(os.Getpid())} {
		if !strings.Contains(s.Text, want) {
			t.Errorf("Text = %q, want it to name %s", s.Text, want)
		}
	}
	taken.Close()
	untilPhase(t, child, PhaseReady)
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	tests := map[string]func(*ChildConfig){
		"unknown network": func(c *ChildConfig) { c.Conf.Network = "test" },
		"no probe":        func(c *ChildConfig) { c.Probe = nil },
		"no stop":         func(c *ChildConfig) { c.Stop = nil },
		"directory is a file": func(c *ChildConfig) {
			c.Conf.Dir = filepath.Join(c.Conf.Dir, "bitcoind")
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			_, child := newFake(t, "plain", change)
			if err := child.Run(t.Context()); err == nil {
				t.Error("Run = nil, want an error")
			}
		})
	}
}
