package bitcoind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script makes a program that runs the real node in its own way.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bitcoind")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// A node that somebody has started by hand in our directory is waited for and named,
// and not taken for a fault.
func TestRealNodeSecondInstance(t *testing.T) {
	conf, child := newReal(t, NetworkRegtest, false)
	if err := conf.Write(); err != nil {
		t.Fatal(err)
	}
	byHand, err := start(realBitcoind(t), append(conf.args(), "-rpcport="+strconv.Itoa(conf.RPCPort)), newRing(100, func(string) {}))
	if err != nil {
		t.Fatal(err)
	}
	for rpc(t.Context(), conf, "getblockcount", nil) != nil && !byHand.ended(20*time.Millisecond) {
	}
	defer running(t, child)()
	s := until(t, child, "waiting", func(s State) bool { return s.Class == ClassLock })
	if s.Phase != PhaseStarting || s.Restarts != 0 || !strings.Contains(s.Text, "kill "+strconv.Itoa(byHand.pid())) {
		t.Errorf("State = %+v, want it to name process %d", s, byHand.pid())
	}
	if err := rpc(t.Context(), conf, "stop", nil); err != nil || !byHand.ended(time.Minute) {
		t.Fatal("the other node does not stop: ", err)
	}
	if s := untilPhase(t, child, PhaseReady); s.Restarts != 0 {
		t.Errorf("State = %+v, want ready without a failure", s)
	}
}

// What somebody writes into bitcoin.conf is gone at the next start, also at one that
// nobody ordered.
func TestRealNodeConfigurationBrokenByHand(t *testing.T) {
	conf, child := newReal(t, NetworkRegtest, false)
	defer running(t, child)()
	s := untilPhase(t, child, PhaseReady)
	want, err := os.ReadFile(conf.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"rpcport\n= nonsense [regtest", "chain=main\nreindex=1\n", ""} {
		if err := os.WriteFile(conf.Path(), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		old := s.PID
		s = until(t, child, "ready again", func(s State) bool { return s.Phase == PhaseReady && s.PID != old })
		if got, err := os.ReadFile(conf.Path()); err != nil || string(got) != string(want) {
			t.Errorf("bitcoin.conf after %q: %v\n%s", broken, err, got)
		}
	}
}

// On Bitcoin's own networks a directory belongs to one implementation. The first one
// is the real node, the other one a disguise.
func TestRealNodeInAnotherImplementationsDirectory(t *testing.T) {
	conf, first := newReal(t, NetworkMain, false)
	said, err := Version(t.Context(), realBitcoind(t))
	if err != nil {
		t.Fatal(err)
	}
	own, other := implementation.FindString(said), "Bitcoin Core"
	if own == other {
		other = "Bitcoin Knots"
	}
	disguised := script(t, fmt.Sprintf("[ \"$1\" = -version ] && echo '%s daemon version v99.0.0' && exit\nexec '%s' \"$@\"", other, realBitcoind(t)))

	stop := running(t, first)
	untilPhase(t, first, PhaseReady)
	stop()
	config := first.config
	config.Binary = disguised
	refused := func(what string) {
		t.Helper()
		child := NewChild(config)
		defer running(t, child)()
		s := untilPhase(t, child, PhaseFailed)
		if s.Class != ClassDirectory || s.Repair != RepairNone || !strings.Contains(s.Text, "was used by "+own) || !strings.Contains(s.Text, "keep its wallets") {
			t.Errorf("%s: State = %+v, want the directory refused", what, s)
		}
	}
	refused("a directory that the box has used")

	// A directory that was copied from elsewhere tells by its log.
	if err := os.Remove(conf.programFile()); err != nil {
		t.Fatal(err)
	}
	log := "2026-01-01T00:00:00Z " + other + " version v1\n" + strings.Repeat("2026-01-01T00:00:00Z UpdateTip\n", 400_000) + "2026-11-22T20:25:44Z " + own + " version v29.5.0 (release build)\n"
	if err := os.WriteFile(conf.debugLog(), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a directory from elsewhere")

	config.Binary = realBitcoind(t)
	child := NewChild(config)
	defer running(t, child)()
	untilPhase(t, child, PhaseReady)
}

// A power cut right after the first start leaves an empty key of the block files.
func TestRealNodeAfterAPowerCutAtItsFirstStart(t *testing.T) {
	conf, first := newReal(t, NetworkRegtest, false)
	stop := running(t, first)
	untilPhase(t, first, PhaseReady)
	stop()
	if err := os.Truncate(filepath.Join(conf.chainDir(), "blocks", "xor.dat"), 0); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this bitcoind does not obfuscate its block files")
	} else if err != nil {
		t.Fatal(err)
	}
	config := first.config
	allowed := &leave{left: 1}
	config.Mend = allowed.mend
	child := NewChild(config)
	defer running(t, child)()
	untilPhase(t, child, PhaseReady)
	if err := rpc(t.Context(), conf, "generatetodescriptor", nil, 3, anyone); err != nil {
		t.Error(err)
	}
	sound(t, conf)
}

// A clock that was set back, or a wrong one that was set right, is blamed, and nothing
// is built anew; the node starts by itself when the clock is right.
func TestRealNodeWithAWrongClock(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name             string
		mined, wrong, at time.Time // when the chain was made, when it cannot be read, when it can
	}{
		{"3 hours ahead, then right", now.Add(3 * time.Hour), now, now.Add(2 * time.Hour)},
		{"1 year back", now, now.AddDate(-1, 0, 0), now},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, child := newReal(t, NetworkRegtest, false)
			clock := filepath.Join(t.TempDir(), "clock")
			set := func(at time.Time) {
				// Renamed into place, so that the node never sees half of it.
				if err := errors.Join(os.WriteFile(clock+".new", []byte(strconv.FormatInt(at.Unix(), 10)), 0o600), os.Rename(clock+".new", clock)); err != nil {
					t.Fatal(err)
				}
			}
			config := child.config
			config.Binary = script(t, fmt.Sprintf("exec '%s' -mocktime=$(cat '%s') \"$@\"", realBitcoind(t), clock))
			asked := &leave{left: 1}
			config.Mend = asked.mend

			set(test.mined)
			grown(t, conf, NewChild(config))
			set(test.wrong)
			child = NewChild(config)
			defer running(t, child)()
			s := untilPhase(t, child, PhaseFailed)
			if s.Class != ClassClock || s.Repair != RepairNone || !strings.Contains(s.Text, "Set the clock") {
				t.Errorf("State = %+v, want the clock blamed", s)
			}
			set(test.at)
			untilPhase(t, child, PhaseReady)
			if got := height(t, conf); got != 30 || len(asked.questions()) > 0 {
				t.Errorf("height = %d, repairs %v; want all 30 blocks and none", got, asked.questions())
			}
		})
	}
}

// Killed while it starts, while it downloads and while it writes, the node comes back
// each time without a repair, and in the end it has the whole chain.
func TestRealNodeKilledAtAnyMoment(t *testing.T) {
	const blocks = 1000
	source, giver := newReal(t, NetworkRegtest, true)
	defer running(t, giver)()
	untilPhase(t, giver, PhaseReady)
	if err := rpc(t.Context(), source, "generatetodescriptor", nil, blocks, anyone); err != nil {
		t.Fatal(err)
	}
	peer := "127.0.0.1:" + strconv.Itoa(source.P2PPort)

	conf, child := newReal(t, NetworkRegtest, false)
	asked := &leave{left: 10}
	config := child.config
	config.Mend, config.RetryMax = asked.mend, config.RetryMin
	child = NewChild(config)
	defer running(t, child)()
	kill := func(pid int) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	next := func(old int) State {
		t.Helper()
		return until(t, child, "another process", func(s State) bool { return s.PID != 0 && s.PID != old })
	}
	ready := func() State {
		t.Helper()
		return untilPhase(t, child, PhaseReady)
	}
	download := func() {
		t.Helper()
		if err := rpc(t.Context(), conf, "addnode", nil, peer, "onetry"); err != nil {
			t.Fatal(err)
		}
	}

	for wait := time.Duration(0); wait < 300*time.Millisecond; wait += 50 * time.Millisecond {
		s := next(0)
		time.Sleep(wait) // a moment of its start; which one does not matter
		kill(s.PID)
		next(s.PID)
	}
	for part := 1; part <= 5; part++ {
		s := ready()
		download()
		for height(t, conf) < part*blocks/10 { // what it had is gone with each kill
			time.Sleep(time.Millisecond)
		}
		kill(s.PID)
		next(s.PID)
	}
	for wait := time.Duration(0); wait < 50*time.Millisecond; wait += 10 * time.Millisecond {
		s := ready()
		download()
		for height(t, conf) < blocks {
			time.Sleep(time.Millisecond)
		}
		if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil { // it writes all that it has
			t.Fatal(err)
		}
		time.Sleep(wait)
		kill(s.PID)
		next(s.PID)
	}
	ready()
	download()
	for height(t, conf) < blocks {
		time.Sleep(time.Millisecond)
	}
	sound(t, conf)
	if len(asked.questions()) > 0 {
		t.Errorf("repairs %v; a kill damages nothing", asked.questions())
	}
}
