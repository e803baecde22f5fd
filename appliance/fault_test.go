package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/faultdisk"
	"github.com/dmpool/dmpool/pool/node"
)

// boxOn sets a box up on a disk of the test and starts it.
func boxOn(t *testing.T, disk *faultdisk.Disk) (dir string, b *runningBox) {
	t.Helper()
	binary := realNode(t)
	dir = filepath.Join(disk.Dir, "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return dir, startBox(t, dir, binary)
}

// TestBoxOnAFullDisk fills the disk under a box that mines: the node is stopped in
// order, everything says so, and when there is room again all goes on by itself with
// books that agree.
func TestBoxOnAFullDisk(t *testing.T) {
	t.Parallel()
	if !faultdisk.Alone(t) {
		return
	}
	ctx := context.Background()
	disk := faultdisk.Memory(t, "1500m")
	_, b := boxOn(t, disk)
	b.mine()
	b.eventually("there are blocks", func() bool { return b.sums().Immature > 0 })

	disk.Fill(150 << 20)
	b.eventually("the node is stopped for the disk", func() bool { return b.box.Node(ctx).Class == string(bitcoind.ClassDisk) })
	if s := b.box.Node(ctx); s.PID != 0 || !strings.Contains(s.Text, "is nearly full") {
		t.Errorf("the node: %+v", s)
	}
	if c := b.box.checkDiskHealth(); c.Status != Down || !strings.Contains(c.Reason, "There are no new payouts") {
		t.Errorf("the disk: %+v", c)
	}
	disk.Fill(0)
	b.eventually("miners get no work", func() bool { return !b.box.Pool().Status().Serving })
	if err := b.box.Audit(ctx, AuditEntry{Actor: "admin", Action: "test", Result: "ok"}); err == nil {
		t.Log("the ledger still found room for a line")
	}
	if h := b.box.Health(ctx); h.Status != Down {
		t.Errorf("health on a full disk: %+v", h)
	}

	height := b.box.Pool().Status().Height
	disk.Clear()
	b.eventually("mining goes on", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.rest()
	// A block whose share found no room in the log is booked by the job for that.
	b.eventually("all blocks are booked", func() bool {
		if _, err := b.box.bookRewards(ctx); err != nil {
			t.Error(err)
		}
		if _, err := b.box.checkBlocks(ctx); err != nil {
			t.Error(err)
		}
		return b.sums().Immature == b.wallet().Immature
	})
	b.check()
	b.stop()
}

// TestBoxOnAReadOnlyDisk breaks the disk under a box that mines. It stays up and says
// what is wrong; on the mended disk all is there that was acknowledged.
func TestBoxOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	if !faultdisk.Alone(t) {
		return
	}
	ctx := context.Background()
	disk := faultdisk.Ext4(t, "1500m")
	dir, b := boxOn(t, disk)
	b.mine()
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	disk.Sync()
	before := b.sums()

	disk.Break()
	// It may be aborted in the middle of a write, and cannot say why before the next try.
	b.eventually("the node is gone, for the drive", func() bool {
		s := b.box.Node(ctx)
		return s.Phase == string(bitcoind.PhaseFailed) && s.Class == string(bitcoind.ClassDrive) && strings.Contains(s.Text, "read-only")
	})
	b.eventually("miners get no work", func() bool { return !b.box.Pool().Status().Serving })
	h := b.box.Health(ctx)
	t.Logf("%+v", h)
	if h.Status != Down {
		t.Errorf("health on a broken disk: %+v", h)
	}
	b.rest()
	b.abandon()

	disk.Mend()
	b = startBox(t, dir, realNode(t))
	if after := b.sums(); after.Immature+after.Spendable < before.Immature+before.Spendable {
		t.Errorf("the books hold %+v, before %+v", after, before)
	}
	b.mine()
	height := b.box.Pool().Status().Height
	b.eventually("mining goes on", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.rest()
	b.check()
	b.stop()
}

// abandon is stop for a box whose disk is broken: what it cannot write any more are
// its errors.
func (b *runningBox) abandon() {
	b.t.Helper()
	b.stopped = true
	b.rest()
	b.cancel()
	b.t.Logf("run: %v", <-b.ended)
	b.t.Logf("close: %v", b.box.Close())
}

// TestExternalNodeAwayForADay lets the node that somebody else runs vanish and come
// back with the clock of the next day, when it takes itself for one that downloads its
// chain. The box asks on, and mines on as if nothing had been.
func TestExternalNodeAwayForADay(t *testing.T) {
	t.Parallel()
	other := newStranger(t)
	stop := other.start()
	dir := setUpDir(t)
	b := launchWith(t, Config{DataDir: dir, External: ExternalNode{URL: other.conf.RPCURL(), CookieFile: other.conf.CookieFile()}})
	b.mine()
	b.eventually("a block is booked", func() bool { return b.sums().Immature > 0 })

	stop()
	b.eventually("the box says that the node is away", func() bool {
		return b.box.Node(t.Context()).Class == string(bitcoind.ClassAway) && !b.box.Pool().Status().Serving
	})
	height := b.box.Pool().Status().Height
	tomorrow := time.Now().Add(25 * time.Hour)
	other.binary = programFile(t, fmt.Sprintf("exec '%s' -mocktime=%d \"$@\"", other.binary, tomorrow.Unix()))
	stop = other.start()
	b.eventually("mining goes on", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.eventually("the box tells of the clocks that differ by a day", func() bool {
		s := b.box.Node(t.Context())
		return len(s.Warnings) > 0 && strings.Contains(s.Warnings[0].Text, "ahead of this machine's clock")
	})
	b.rest()
	b.check()
	b.stop()
	stop()
}

// programFile makes a program of a few lines.
func programFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bitcoind")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExternalRealNodeRefuses shows the words for a login that a real node does not
// take, and for one that has no time, which passes.
func TestExternalRealNodeRefuses(t *testing.T) {
	other := newStranger(t)
	other.binary = programFile(t, fmt.Sprintf("exec '%s' \"$@\" -rpcthreads=1 -rpcworkqueue=1", other.binary))
	stop := other.start()
	defer stop()
	n := ExternalNode{URL: other.conf.RPCURL(), CookieFile: fileWith(t, "__cookie__:of another node")}
	if err := using(t, n).probeExternal(t.Context()); err == nil || !strings.Contains(n.explain(err), "is it another node's?") {
		t.Errorf("401: %v", err)
	}

	n.CookieFile = other.conf.CookieFile()
	a := using(t, n)
	crowd, goHome := context.WithCancel(t.Context())
	defer goHome()
	var busy sync.WaitGroup
	for range 4 {
		// One occupies the node, one waits, and the others are turned away and come again.
		busy.Go(func() {
			for crowd.Err() == nil {
				_ = other.client.Call(crowd, "waitfornewblock", nil, 500)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	var err error
	for range 200 {
		if err = a.probeExternal(t.Context()); err != nil {
			break
		}
	}
	if !errors.Is(err, node.ErrUnreachable) || !strings.Contains(n.explain(err), "does not answer. The box keeps asking") {
		t.Errorf("503: %v", err)
	}
	goHome()
	busy.Wait()
	for range 200 {
		if err = a.probeExternal(t.Context()); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("a node that has time again: %v", err)
	}
}
