package bitcoind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The tests run this test binary in three roles: as the tests; as a fake
// bitcoind that plays a part in a few lines; and as a pool daemon that can be
// killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "fake-bitcoind":
			os.Exit(fakeMain(os.Args[2], os.Args[3:]))
		case "daemon":
			os.Exit(daemonMain(os.Args[2], os.Args[3]))
		}
	}
	goleak.VerifyTestMain(m)
}

// fake is a bitcoind that talks through files in its data directory:
//
//	rpc      what its RPC answers: "ok", or a warm-up text; absent: refused
//	stop     asks it to stop, as the RPC would
//	events   what happened to it, a line each
//	go       lets it go on where its part says that it waits
type fake struct{ dir string }

func (f fake) path(name string) string { return filepath.Join(f.dir, name) }

func (f fake) set(name, text string) {
	// Renamed into place, so that a reader never sees half of it.
	if err := os.WriteFile(f.path(name+".new"), []byte(text), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(f.path(name+".new"), f.path(name)); err != nil {
		panic(err)
	}
}

func (f fake) remove(name string) {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic(err)
	}
}

func (f fake) get(name string) string {
	text, _ := os.ReadFile(f.path(name))
	return string(text)
}

func (f fake) event(what string) { f.set("events", f.get("events")+what+"\n") }

func (f fake) wait(name string) {
	for f.get(name) == "" {
		time.Sleep(time.Millisecond)
	}
}

// fakeMain plays a part and returns the exit status.
func fakeMain(part string, args []string) int {
	var f fake
	for _, arg := range args {
		if dir, ok := strings.CutPrefix(arg, "-datadir="); ok {
			f.dir = dir
		}
	}
	f.remove("rpc")
	f.event("start")
	fmt.Println("2026-11-22T20:25:44Z Fake version v29.0.0")

	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	starts := strings.Count(f.get("events"), "start")

	switch part {
	case "crash": // twice
		if starts <= 2 {
			fmt.Fprintln(os.Stderr, "Error: Something broke")
			return 1
		}
	case "lock": // until the test lets go
		if f.get("go") == "" {
			fmt.Fprintf(os.Stderr, "Error: Cannot obtain a lock on directory %s. Fake is probably already running.\n", f.dir)
			return 1
		}
	case "warm":
		f.set("rpc", "Loading block index…")
		f.wait("go")
	case "never":
		f.wait("go")
	case "slow": // holds the real lock and takes its time to stop
		if err := os.MkdirAll(f.path("regtest"), 0o700); err != nil {
			panic(err)
		}
		lock, err := os.OpenFile(f.path("regtest/.lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			panic(err)
		}
		defer lock.Close()
		if err := unix.FcntlFlock(lock.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
			fmt.Fprintln(os.Stderr, "Error: Cannot obtain a lock on directory "+f.dir)
			return 1
		}
	}

	f.set("rpc", "ok")
	defer f.remove("rpc")
	for {
		select {
		case <-term:
			f.event("term")
			switch part {
			case "deaf":
				continue
			case "slow":
				f.wait("go")
			}
			return 0
		case <-time.After(time.Millisecond):
			if f.get("stop") == "" || part == "deaf" || part == "lost-stop" {
				continue
			}
			f.remove("stop")
			f.event("stop")
			return 0
		}
	}
}

var (
	errRefused = errors.New("connection refused")
	errWarmup  = errors.New("warming up")
)

func (f fake) probe(context.Context) error {
	switch answer := f.get("rpc"); answer {
	case "":
		return errRefused
	case "ok":
		return nil
	default:
		return fmt.Errorf("%w: %s", errWarmup, answer)
	}
}

func (f fake) warmup(err error) (string, bool) {
	_, text, _ := strings.Cut(err.Error(), ": ")
	return text, errors.Is(err, errWarmup)
}

func (f fake) stop(ctx context.Context) error {
	if err := f.probe(ctx); err != nil {
		return err
	}
	f.set("stop", "now")
	return nil
}

// fakeConfig returns the configuration of a Child that runs the fake in a part,
// with hasty durations. binary is a script, as a real one may be too.
func fakeConfig(part, dir string, ports []int) (fake, ChildConfig) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	binary := filepath.Join(dir, "bitcoind")
	// With the race detector a program sleeps for a second before it ends, if not told otherwise.
	script := fmt.Sprintf("#!/bin/sh\nGORACE=atexit_sleep_ms=0 exec '%s' fake-bitcoind %s \"$@\"\n", self, part)
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		panic(err)
	}

	f := fake{dir: dir}
	return f, ChildConfig{
		Binary: binary,
		Care: Care{
			Conf:       Conf{Network: NetworkRegtest, Dir: dir, RPCPort: ports[0], ZMQPort: ports[1]},
			Probe:      f.probe,
			Warmup:     f.warmup,
			ProbeEvery: time.Millisecond,
			WatchEvery: time.Millisecond,
			RetryMin:   time.Millisecond,
			RetryMax:   8 * time.Millisecond,
		},
		Stop:      f.stop,
		TermAfter: time.Hour,
		StopLimit: time.Hour,
	}
}

// daemonMain is a pool daemon in little: it runs a fake in a part, or the real
// bitcoind, prints the node's PID and RPC port when it is ready, and waits to be
// killed.
func daemonMain(binary, dir string) int {
	ctx := context.Background()
	ports, err := FreePorts(ctx, 2)
	if err != nil {
		panic(err)
	}
	var config ChildConfig
	if part, ok := strings.CutPrefix(binary, "part:"); ok {
		_, config = fakeConfig(part, dir, ports)
	} else {
		config = realConfig(binary, Conf{Network: NetworkRegtest, Dir: dir, RPCPort: ports[0], ZMQPort: ports[1]})
	}

	child := NewChild(config)
	go func() {
		for {
			changed := child.Changed()
			if s := child.State(); s.Phase == PhaseReady {
				fmt.Println(s.PID, ports[0])
				return
			}
			<-changed
		}
	}()
	if err := child.Run(ctx); err != nil {
		panic(err)
	}
	return 0
}

// startDaemon runs daemonMain in a process of its own and returns it with the
// PID and the RPC port of its ready node.
func startDaemon(t *testing.T, binary, dir string) (daemon *exec.Cmd, node, port int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	daemon = exec.CommandContext(t.Context(), self, "daemon", binary, dir)
	daemon.Stderr = io.Discard
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("daemon ended before its node was ready: %v", err)
	}
	if _, err := fmt.Sscan(line, &node, &port); err != nil {
		t.Fatal(err)
	}
	return daemon, node, port
}

// running starts child and returns a function that ends Run and checks that it
// ended well and left no process.
func running(t *testing.T, child *Child) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- child.Run(ctx) }()

	return func() {
		t.Helper()
		pid := child.State().PID
		cancel()
		if err := <-result; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if alive(pid) {
			t.Errorf("process %d is still there after Run has returned", pid)
		}
		if s := child.State(); s.Phase != PhaseAbsent || s.PID != 0 {
			t.Errorf("State after Run = %+v, want absent", s)
		}
	}
}

func alive(pid int) bool { return pid != 0 && syscall.Kill(pid, 0) == nil }

// until waits for a state that is as wanted, and returns it.
func until(t *testing.T, child Runner, what string, want func(State) bool) State {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		changed := child.Changed()
		s := child.State()
		if want(s) {
			return s
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("node never came to be %s; it is %+v, its log:\n%s", what, s, strings.Join(child.Log(), "\n"))
		}
	}
}

func untilPhase(t *testing.T, child Runner, phase Phase) State {
	t.Helper()
	return until(t, child, string(phase), func(s State) bool { return s.Phase == phase })
}
