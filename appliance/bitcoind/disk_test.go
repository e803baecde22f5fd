package bitcoind

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/faultdisk"
)

// onDisk returns a real node whose data is on a disk of the test, and whose guard
// against full disks is off, so that the disk does fill up.
func onDisk(t *testing.T, d *faultdisk.Disk) (Conf, *Child) {
	t.Helper()
	conf, child := newReal(t, NetworkRegtest, false)
	conf.Dir = filepath.Join(d.Dir, "node")
	config := realConfig(child.config.Binary, conf)
	config.Measure = func(string) (Machine, error) { return Machine{DiskTotal: 1000 * gb, DiskFree: 500 * gb}, nil }
	asked := &leave{}
	config.Mend = asked.mend
	t.Cleanup(func() {
		if len(asked.questions()) > 0 {
			t.Errorf("a repair was wanted: %v; nothing is damaged", asked.questions())
		}
	})
	return conf, NewChild(config)
}

// A node that dies of a full disk says so, takes it for no damage, and comes back by
// itself, with what it had written.
func TestRealNodeOnAFullDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "300m")
	conf, child := onDisk(t, disk)
	defer running(t, child)()
	untilPhase(t, child, PhaseReady)
	if err := rpc(t.Context(), conf, "generatetodescriptor", nil, 20, anyone); err != nil {
		t.Fatal(err)
	}
	if err := rpc(t.Context(), conf, "gettxoutsetinfo", nil, "none"); err != nil { // has it written
		t.Fatal(err)
	}

	disk.Fill(1 << 20)
	// Each try may be the one at which the node looks at its disk.
	s := until(t, child, "ended by the full disk", func(s State) bool {
		if s.Phase == PhaseReady {
			_ = rpc(t.Context(), conf, "generatetodescriptor", nil, 1, anyone)
			_ = rpc(t.Context(), conf, "gettxoutsetinfo", nil, "none")
		}
		return s.Class != ""
	})
	if s.Class != ClassDisk || s.Repair != RepairNone || !strings.Contains(s.Text, "Free some space; the node then starts by itself") {
		t.Errorf("State = %+v, want the full disk", s)
	}
	until(t, child, "tried again in vain", func(n State) bool { return n.Restarts > s.Restarts+1 })
	if now := child.State(); now.Phase == PhaseFailed && now.Class != ClassDisk {
		t.Errorf("State at the next try = %+v, want the full disk", now)
	}

	disk.Clear()
	untilPhase(t, child, PhaseReady)
	if got := height(t, conf); got < 20 {
		t.Errorf("height = %d, want at least the 20 blocks that were written", got)
	}
	sound(t, conf)
}

// A drive that takes no more writes ends the node with a sentence; once it does
// again, the node goes on with what it had written.
func TestRealNodeOnAReadOnlyDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Ext4(t, "200m")
	conf, child := onDisk(t, disk)
	stop := running(t, child)
	untilPhase(t, child, PhaseReady)
	if err := rpc(t.Context(), conf, "generatetodescriptor", nil, 20, anyone); err != nil {
		t.Fatal(err)
	}
	if err := rpc(t.Context(), conf, "gettxoutsetinfo", nil, "none"); err != nil {
		t.Fatal(err)
	}

	disk.Sync()
	disk.Break()
	s := until(t, child, "ended by the disk", func(s State) bool {
		if s.Phase == PhaseReady {
			_ = rpc(t.Context(), conf, "generatetodescriptor", nil, 1, anyone)
			_ = rpc(t.Context(), conf, "gettxoutsetinfo", nil, "none")
		}
		return s.Class != ""
	})
	t.Logf("%+v", s)
	if s.Class != ClassDrive || s.Repair != RepairNone || !strings.Contains(s.Text, "cannot be written") {
		t.Errorf("State = %+v\n%s", s, strings.Join(child.Log(), "\n"))
	}
	until(t, child, "tried again in vain", func(n State) bool { return n.Restarts > s.Restarts+1 })
	t.Logf("%+v", child.State())
	stop()

	disk.Mend()
	child = NewChild(child.config)
	defer running(t, child)()
	untilPhase(t, child, PhaseReady)
	if got := height(t, conf); got < 20 {
		t.Errorf("height = %d, want at least the 20 blocks that were written", got)
	}
	sound(t, conf)
}

// sound has the node check the blocks and coins that it has.
func sound(t *testing.T, conf Conf) {
	t.Helper()
	var ok bool
	if err := rpc(t.Context(), conf, "verifychain", &ok, 4, 0); err != nil || !ok {
		t.Errorf("verifychain = %t, %v", ok, err)
	}
}
