package bitcoind

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRepairOf(t *testing.T) {
	whole, pruned := Conf{}, Conf{PruneMiB: 550}
	for _, class := range []Class{
		ClassLock, ClassPort, ClassDisk, ClassDrive, ClassClock, ClassWallet, ClassDirectory,
		ClassConfig, ClassBinary, ClassKilled, ClassStopped, ClassCrash,
	} {
		if r := whole.repairOf(class); r != RepairNone {
			t.Errorf("repairOf(%s) = %s, want none", class, r)
		}
	}
	if whole.repairOf(ClassChainstate) != RepairCoins || whole.repairOf(ClassBlocks) != RepairBlocks ||
		pruned.repairOf(ClassChainstate) != RepairBlocks || pruned.repairOf(ClassBlocks) != RepairBlocks {
		t.Error("damage is not answered with its repair")
	}
}

// leave is a Mend that allows so many repairs.
type leave struct {
	mu    sync.Mutex
	left  int
	asked []Repair
}

func (l *leave) mend(_ context.Context, _ Class, r Repair) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, r)
	if l.left == 0 {
		return errors.New("somebody has to decide")
	}
	l.left--
	return nil
}

func (l *leave) questions() []Repair {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

const anyone = "raw(51)#8lvh9jxk" // an output that everybody can spend

// grown makes a chain of 30 blocks in a data directory.
func grown(t *testing.T, conf Conf, child *Child) {
	t.Helper()
	stop := running(t, child)
	untilPhase(t, child, PhaseReady)
	if err := rpc(t.Context(), conf, "generatetodescriptor", nil, 30, anyone); err != nil {
		t.Fatal(err)
	}
	stop()
}

// spoil writes nonsense over the manifest of a database.
func spoil(t *testing.T, conf Conf, database string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(conf.chainDir(), database, "MANIFEST-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing to spoil in %s: %v", database, err)
	}
	for _, file := range files {
		if err := os.WriteFile(file, bytes.Repeat([]byte("nonsense"), 20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func height(t *testing.T, conf Conf) (height int) {
	t.Helper()
	if err := rpc(t.Context(), conf, "getblockcount", &height); err != nil {
		t.Fatal(err)
	}
	return height
}

// A database that is damaged is built anew once, without anybody; the second
// time the node waits for somebody's word. Its blocks are there each time before
// it answers at all.
func TestRealNodeRepairsDamageOnce(t *testing.T) {
	tests := []struct {
		database string
		class    Class
		repair   Repair
	}{
		{"chainstate", ClassChainstate, RepairCoins},
		{"blocks/index", ClassBlocks, RepairBlocks},
	}
	for _, test := range tests {
		t.Run(test.database, func(t *testing.T) {
			conf, first := newReal(t, NetworkRegtest, false)
			grown(t, conf, first)
			config := first.config
			once := &leave{left: 1}
			config.Mend = once.mend

			spoil(t, conf, test.database)
			child := NewChild(config)
			stop := running(t, child)
			s := untilPhase(t, child, PhaseReady)
			if s.Restarts != 1 || s.Repair != RepairNone || height(t, conf) != 30 {
				t.Errorf("State = %+v at height %d, want ready after one failure, with all blocks", s, height(t, conf))
			}
			stop()
			if !slices.Equal(once.questions(), []Repair{test.repair}) {
				t.Errorf("asked for %v, want %s", once.questions(), test.repair)
			}
			text, err := os.ReadFile(conf.Path())
			if err != nil || strings.Contains(string(text), "reindex") {
				t.Errorf("bitcoin.conf (%v) holds what is for one start only:\n%s", err, text)
			}

			spoil(t, conf, test.database)
			child = NewChild(config)
			defer running(t, child)()
			s = until(t, child, "waiting for somebody", func(s State) bool { return s.Phase == PhaseFailed && s.Repair != RepairNone })
			if s.Class != test.class || s.Repair != test.repair || !strings.Contains(s.Text, ", and somebody has to decide. Next try") {
				t.Errorf("State = %+v", s)
			}
			if err := child.Repair(); err != nil {
				t.Fatal(err)
			}
			untilPhase(t, child, PhaseReady)
			if got := height(t, conf); got != 30 {
				t.Errorf("height = %d after the second repair, want 30", got)
			}
			if err := child.Repair(); !errors.Is(err, ErrNothingToRepair) {
				t.Errorf("Repair() of a sound node = %v", err)
			}
		})
	}
}

// A rebuild that a power cut ended begins anew before anybody sees the node.
func TestRealNodeFinishesRepair(t *testing.T) {
	conf, first := newReal(t, NetworkRegtest, false)
	grown(t, conf, first)
	spoil(t, conf, "chainstate")
	if err := os.WriteFile(conf.markFile(), []byte(RepairCoins), 0o600); err != nil {
		t.Fatal(err)
	}
	child := NewChild(first.config)
	defer running(t, child)()
	if s := untilPhase(t, child, PhaseReady); s.Restarts != 0 || height(t, conf) != 30 {
		t.Errorf("State = %+v at height %d, want 30 blocks without a failure", s, height(t, conf))
	}
	if _, err := os.Stat(conf.markFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
}

// The clock was set back: the node says so, and nothing is built anew.
func TestRealNodeWithBlockFromTheFuture(t *testing.T) {
	conf, child := newReal(t, NetworkRegtest, false)
	if err := conf.Write(); err != nil {
		t.Fatal(err)
	}
	ahead := strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10)
	p, err := start(realBitcoind(t), append(conf.args(), "-printtoconsole=1", "-mocktime="+ahead), newRing(100, func(string) {}))
	if err != nil {
		t.Fatal(err)
	}
	for rpc(t.Context(), conf, "generatetodescriptor", nil, 3, anyone) != nil && !p.ended(50*time.Millisecond) {
	}
	if err := rpc(t.Context(), conf, "stop", nil); err != nil || !p.ended(time.Minute) {
		t.Fatal("the node with another clock does not stop: ", err)
	}

	asked := &leave{left: 1}
	child.config.Mend = asked.mend
	defer running(t, child)()
	s := untilPhase(t, child, PhaseFailed)
	if s.Class != ClassClock || s.Repair != RepairNone || !strings.Contains(s.Text, "Set the clock") || len(asked.questions()) > 0 {
		t.Errorf("State = %+v, asked %v; want the clock blamed and nothing repaired", s, asked.questions())
	}
}

func TestRealNodeInAnotherChainsDirectory(t *testing.T) {
	conf, first := newReal(t, NetworkRegtest, false)
	grown(t, conf, first)
	asked := &leave{left: 1}
	config := first.config
	config.Mend = asked.mend
	config.Conf.Network = NetworkPractice
	if err := os.Rename(conf.chainDir(), config.Conf.chainDir()); err != nil {
		t.Fatal(err)
	}
	child := NewChild(config)
	defer running(t, child)()
	s := untilPhase(t, child, PhaseFailed)
	if s.Class != ClassDirectory || s.Repair != RepairNone || !strings.Contains(s.Text, "another chain") || len(asked.questions()) > 0 {
		t.Errorf("State = %+v, asked %v; want the directory blamed and nothing repaired", s, asked.questions())
	}
}

// The node is stopped in order before the disk is full, and comes back by itself
// when there is clearly more room.
func TestNodeStopsBeforeDiskIsFull(t *testing.T) {
	var mu sync.Mutex
	free := int64(gb)
	f, child := newFake(t, "plain", func(c *ChildConfig) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.Measure = func(string) (Machine, error) {
			mu.Lock()
			defer mu.Unlock()
			return Machine{DiskTotal: 10 * gb, DiskFree: free}, nil
		}
	})
	set := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		free = n
	}
	limits := LimitsOf(NetworkRegtest, 10*gb)
	defer running(t, child)()
	first := untilPhase(t, child, PhaseReady)
	set(limits.Stop - 1)
	s := untilPhase(t, child, PhaseFailed)
	if s.Class != ClassDisk || s.PID != 0 || !strings.Contains(s.Text, "Make room") {
		t.Errorf("State = %+v, want stopped for the disk", s)
	}
	set(limits.Alarm - 1)
	until(t, child, "still without enough room", func(n State) bool { return n.Restarts > s.Restarts+1 && n.PID == 0 })
	set(limits.Alarm)
	if again := untilPhase(t, child, PhaseReady); again.PID == first.PID {
		t.Errorf("State = %+v, want another process", again)
	}
	if want, got := "start\nstop\nstart\n", f.get("events"); got != want {
		t.Errorf("events = %q, want %q: stopped in order, once", got, want)
	}
}

func TestDiskLimits(t *testing.T) {
	for _, test := range []struct {
		network     string
		total, warn int64
	}{
		{NetworkMain, 1000 * gb, 20 * gb},
		{NetworkSignet, 100 * gb, 15 * gb},
		{NetworkPractice, 100 * gb, gb},
	} {
		l := LimitsOf(test.network, test.total)
		if l.Warn != test.warn || l.Warn <= l.Alarm || l.Alarm <= l.Stop {
			t.Errorf("LimitsOf(%s) = %+v, want to warn at %d, and worse below", test.network, l, test.warn)
		}
	}
}
