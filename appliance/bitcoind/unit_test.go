package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServices is a systemd whose units do nothing by themselves: the unit of a
// node runs from its start to its stop, and that of the options does its work.
type fakeServices struct {
	places Places

	mu     sync.Mutex
	units  map[string]ServiceStatus
	asked  []string // what was asked for, without "look"
	refuse error    // of every start
	mute   bool     // the news of a node's jobs gets lost
	deaf   int      // how many wishes to stop get lost
	runs   int
}

func newFakeServices(t *testing.T) *fakeServices {
	t.Helper()
	p := Places{Root: t.TempDir()}
	conf := p.Conf(NetworkRegtest)
	for _, dir := range []string{conf.chainDir(), filepath.Dir(conf.File), p.run(NetworkRegtest), p.Requests()} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	return &fakeServices{places: p, units: map[string]ServiceStatus{}}
}

func (f *fakeServices) Start(_ context.Context, unit string) (<-chan string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.asked = append(f.asked, "start "+unit)
	done := make(chan string, 1)
	done <- "done"
	if unit == applyUnit(NetworkRegtest) {
		if err := f.places.Apply(NetworkRegtest); err != nil {
			<-done
			done <- "failed"
		}
		return done, nil
	}
	f.run(unit)
	if f.mute {
		<-done
	}
	return done, nil
}

// run begins a run of a unit.
func (f *fakeServices) run(unit string) {
	f.runs++
	f.units[unit] = ServiceStatus{Active: "active", Sub: "running", Invocation: fmt.Sprint("run ", f.runs), PID: 1000 + f.runs}
}

func (f *fakeServices) Stop(_ context.Context, unit string) (<-chan string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf > 0 {
		f.deaf--
		return nil, errors.New("connection lost")
	}
	f.asked = append(f.asked, "stop "+unit)
	s := f.units[unit]
	s.Active, s.Sub, s.PID = "inactive", "dead", 0
	f.units[unit] = s
	done := make(chan string, 1)
	if !f.mute {
		done <- "done"
	}
	return done, nil
}

func (f *fakeServices) Forgive(context.Context, string) error { return nil }

func (f *fakeServices) Status(_ context.Context, unit string) (ServiceStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.units[unit]
	if !ok {
		s = ServiceStatus{Active: "inactive", Sub: "dead"}
	}
	return s, nil
}

func (f *fakeServices) questions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// end lets the node end by itself, with a log, and systemd wait before it starts
// it again.
func (f *fakeServices) end(t *testing.T, code, status, log string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	unit := NodeUnit(NetworkRegtest)
	s := f.units[unit]
	if err := os.WriteFile(f.places.Conf(NetworkRegtest).debugLog(), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{"EXIT_CODE": code, "EXIT_STATUS": status, "INVOCATION_ID": s.Invocation}
	if _, err := f.places.Report(NetworkRegtest, func(name string) string { return told[name] }); err != nil {
		t.Fatal(err)
	}
	s.Active, s.Sub, s.PID = "activating", "auto-restart", 0
	f.units[unit] = s
}

// newUnit returns a Unit on the fake.
func newUnit(t *testing.T, f *fakeServices, change ...func(*UnitConfig)) *Unit {
	t.Helper()
	ports, err := FreePorts(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	conf := f.places.Conf(NetworkRegtest)
	conf.RPCPort, conf.ZMQPort, conf.DBCacheMiB = ports[0], ports[1], 99
	config := UnitConfig{
		Care: Care{
			Conf: conf, Logger: slog.New(slog.DiscardHandler),
			Probe: func(context.Context) error {
				if s, _ := f.Status(t.Context(), NodeUnit(NetworkRegtest)); s.PID == 0 {
					return errRefused
				}
				return nil
			},
			ProbeEvery: time.Millisecond, WatchEvery: time.Millisecond, RetryMin: time.Millisecond, RetryMax: 8 * time.Millisecond,
		},
		Places: f.places, Services: f, LookEvery: time.Millisecond,
	}
	for _, c := range change {
		c(&config)
	}
	return NewUnit(config)
}

// attended starts a Unit's Run and returns a function that ends it.
func attended(t *testing.T, u *Unit) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- u.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-result; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
}

func TestUnitFindsTheNodeThatRuns(t *testing.T) {
	f := newFakeServices(t)
	first := newUnit(t, f)
	stop := attended(t, first)
	s := untilPhase(t, first, PhaseReady)
	stop()
	if p := first.State(); p.Phase != PhaseAbsent || !strings.Contains(p.Text, "runs on") {
		t.Errorf("State after Run = %+v, want that the node runs on", p)
	}

	second := newUnit(t, f, sameAs(first))
	defer attended(t, second)()
	if again := untilPhase(t, second, PhaseReady); again.PID != s.PID || again.Restarts != 0 {
		t.Errorf("State = %+v, want process %d", again, s.PID)
	}
	apply, node := "start "+applyUnit(NetworkRegtest), "start "+NodeUnit(NetworkRegtest)
	if got := f.questions(); !slices.Equal(got, []string{apply, node, apply}) {
		t.Errorf("asked for %q, want the node started once", got)
	}
	text, err := os.ReadFile(f.places.Conf(NetworkRegtest).Path())
	if err != nil || !strings.Contains(string(text), "dbcache=99\n") || !strings.Contains(string(text), "rpccookieperms=group\n") {
		t.Errorf("options (%v):\n%s", err, text)
	}
}

// sameAs makes a Unit for the same node.
func sameAs(u *Unit) func(*UnitConfig) {
	return func(c *UnitConfig) { c.Conf = u.config.Conf }
}

// A pool that has lost its books, and calls the node elsewhere, would wait for it
// for ever.
func TestUnitStartsANodeAnewThatListensElsewhere(t *testing.T) {
	f := newFakeServices(t)
	first := newUnit(t, f)
	stop := attended(t, first)
	s := untilPhase(t, first, PhaseReady)
	stop()
	second := newUnit(t, f)
	defer attended(t, second)()
	if again := untilPhase(t, second, PhaseReady); again.PID == s.PID {
		t.Errorf("State = %+v, want another process", again)
	}
	asked, err := f.places.asked(NetworkRegtest)
	if err != nil || asked.RPCPort != second.config.Conf.RPCPort {
		t.Errorf("asked (%v) for %+v, want the ports of the second", err, asked)
	}
}

// A wish to restart that comes before the node was found is for the node that is
// found: it may run a program that was replaced.
func TestUnitRestartsTheNodeThatItFinds(t *testing.T) {
	f := newFakeServices(t)
	first := newUnit(t, f)
	stop := attended(t, first)
	s := untilPhase(t, first, PhaseReady)
	stop()
	second := newUnit(t, f, sameAs(first))
	second.Restart()
	defer attended(t, second)()
	until(t, second, "another process", func(n State) bool { return n.Phase == PhaseReady && n.PID != s.PID })
}

// A job is asked for again, and its end noticed without systemd's word of it, when
// that is lost with the connection.
func TestUnitWithoutNews(t *testing.T) {
	f := newFakeServices(t)
	f.mute, f.deaf = true, 2
	u := newUnit(t, f)
	defer attended(t, u)()
	first := untilPhase(t, u, PhaseReady)
	u.Restart()
	until(t, u, "another process", func(s State) bool { return s.Phase == PhaseReady && s.PID != first.PID })
}

func TestUnitTellsWhyTheNodeEnded(t *testing.T) {
	f := newFakeServices(t)
	u := newUnit(t, f, func(c *UnitConfig) { c.RetryMin = time.Hour })
	defer attended(t, u)()
	first := untilPhase(t, u, PhaseReady)
	f.end(t, "exited", "1", "2026-11-22T20:24:28Z [warning] Binding RPC on address 127.0.0.1 port 28999 failed (Error: Address already in use (98)).\n")
	s := untilPhase(t, u, PhaseFailed)
	if s.Class != ClassPort || !strings.Contains(s.Text, "port 28999") || s.PID != 0 {
		t.Errorf("State = %+v, want what the exit report says", s)
	}
	if log := u.Log(); len(log) != 2 || !strings.Contains(log[0], "28999") || !strings.Contains(log[1], "debug.log") {
		t.Errorf("Log = %q, want its last line and where it is", log)
	}
	u.Restart() // ends the pause
	untilPhase(t, u, PhaseReady)
	f.end(t, "killed", "KILL", "")
	if s = untilPhase(t, u, PhaseFailed); s.Class != ClassKilled || s.Restarts != 2 {
		t.Errorf("State = %+v, want killed", s)
	}
	u.Restart()
	if again := untilPhase(t, u, PhaseReady); again.PID == first.PID {
		t.Errorf("State = %+v, want another process", again)
	}
}

// A report of another run says nothing about this one.
func TestUnitIgnoresAnOldReport(t *testing.T) {
	f := newFakeServices(t)
	u := newUnit(t, f, func(c *UnitConfig) { c.RetryMin = time.Hour })
	defer attended(t, u)()
	untilPhase(t, u, PhaseReady)
	f.end(t, "exited", "1", "Error: Disk space is too low!\n")
	untilPhase(t, u, PhaseFailed)
	u.Restart()
	untilPhase(t, u, PhaseReady)
	if _, err := f.Stop(t.Context(), NodeUnit(NetworkRegtest)); err != nil {
		t.Fatal(err)
	}
	if s := untilPhase(t, u, PhaseFailed); s.Class != ClassCrash || !strings.Contains(s.Text, "journalctl") {
		t.Errorf("State = %+v, want that there is no reason", s)
	}
}

func TestUnitRepairsOnce(t *testing.T) {
	f := newFakeServices(t)
	once := &leave{left: 1}
	u := newUnit(t, f, func(c *UnitConfig) { c.Mend, c.RetryMin = once.mend, time.Hour })
	conf := f.places.Conf(NetworkRegtest)
	defer attended(t, u)()
	first := untilPhase(t, u, PhaseReady)
	f.end(t, "exited", "1", "Error: Error opening coins database.\n")
	until(t, u, "ready again", func(s State) bool { return s.Phase == PhaseReady && s.PID != first.PID })
	if r := readRepair(conf.markFile()); r != RepairCoins {
		t.Errorf("order = %q, want %s", r, RepairCoins)
	}
	text, err := os.ReadFile(conf.Path())
	if err != nil || strings.Contains(string(text), "reindex") {
		t.Errorf("options (%v) hold what is for one start only:\n%s", err, text)
	}
	asked, err := os.ReadFile(f.places.request(NetworkRegtest))
	if err != nil || strings.Contains(string(asked), "reindex") {
		t.Errorf("request (%v) = %s, want no repair that somebody could do twice", err, asked)
	}

	f.end(t, "exited", "1", "Error: Error opening coins database.\n")
	until(t, u, "waiting for somebody", func(s State) bool { return s.Repair == RepairCoins })
	if err := conf.unmark(); err.class != "" {
		t.Fatal(err.text)
	}
	if err := u.Repair(); err != nil {
		t.Fatal(err)
	}
	until(t, u, "repaired", func(s State) bool { return s.Phase == PhaseReady && s.Repair == RepairNone })
	if r := readRepair(conf.markFile()); r != RepairCoins {
		t.Errorf("order by a person = %q, want %s", r, RepairCoins)
	}
}

func TestUnitRestartStopsInOrder(t *testing.T) {
	f := newFakeServices(t)
	u := newUnit(t, f)
	defer attended(t, u)()
	first := untilPhase(t, u, PhaseReady)
	u.Restart()
	until(t, u, "another process", func(s State) bool { return s.Phase == PhaseReady && s.PID != first.PID })
	node, apply := NodeUnit(NetworkRegtest), "start "+applyUnit(NetworkRegtest)
	if got := f.questions(); !slices.Equal(got, []string{apply, "start " + node, "stop " + node, apply, "start " + node}) {
		t.Errorf("asked for %q", got)
	}
}

// Without room nothing runs, not even what systemd would start again.
func TestUnitStopsBeforeDiskIsFull(t *testing.T) {
	var mu sync.Mutex
	free := int64(gb)
	set := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		free = n
	}
	f := newFakeServices(t)
	u := newUnit(t, f, func(c *UnitConfig) {
		c.Measure = func(string) (Machine, error) {
			mu.Lock()
			defer mu.Unlock()
			return Machine{DiskTotal: 10 * gb, DiskFree: free}, nil
		}
	})
	defer attended(t, u)()
	untilPhase(t, u, PhaseReady)
	set(0)
	f.end(t, "exited", "1", "Error: Disk space is too low!\n")
	until(t, u, "stopped for the disk", func(s State) bool {
		now, _ := f.Status(t.Context(), NodeUnit(NetworkRegtest))
		return s.Class == ClassDisk && now.Active == "inactive"
	})
	set(gb)
	untilPhase(t, u, PhaseReady)
}

func TestUnitEndsTheNodeOfTheNetworkBefore(t *testing.T) {
	f := newFakeServices(t)
	f.mu.Lock()
	f.run(NodeUnit(NetworkMain))
	f.mu.Unlock()
	u := newUnit(t, f)
	defer attended(t, u)()
	untilPhase(t, u, PhaseReady)
	if got := f.questions(); got[0] != "stop "+NodeUnit(NetworkMain) {
		t.Errorf("asked for %q, want the other node stopped first", got)
	}
}

func TestUnitSaysThatSystemdRefuses(t *testing.T) {
	f := newFakeServices(t)
	f.refuse = errors.New("access denied")
	u := newUnit(t, f)
	defer attended(t, u)()
	if s := untilPhase(t, u, PhaseFailed); s.Class != ClassService || !strings.Contains(s.Text, "access denied") {
		t.Errorf("State = %+v, want the refusal", s)
	}
}
