package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// readyNode is a runner whose node answers.
type readyNode struct{ bitcoind.Runner }

func (readyNode) State() bitcoind.State { return bitcoind.State{Phase: bitcoind.PhaseReady} }
func (readyNode) Log() []string         { return nil }

// snapshotBox is a box on regtest, with a node that is a fake, and a snapshot that
// the real one wrote.
func snapshotBox(t *testing.T) (a *Appliance, fake *nodetest.Node, file string) {
	t.Helper()
	a, err := New(t.Context(), Config{
		DataDir: filepath.Join(t.TempDir(), "box"), Network: "regtest", Snapshots: testBases(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.node.CloseIdle()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	fake = nodetest.New(t)
	a.node = node.New(node.Config{URL: fake.URL, CookieFile: fake.CookieFile, Network: "regtest"})
	a.runner.Store(&nodeRunner{readyNode{}})
	beginsFrom(fake, `{"blocks":0,"validated":true}`)
	fake.Handle("loadtxoutset", func(nodetest.Call) (any, error) {
		return nil, &nodetest.Error{Code: -32603, Message: "Unable to load UTXO snapshot: not recognized. The following snapshot heights are available: 110, 200, 299. (probe)"}
	})
	file, err = filepath.Abs("bitcoind/snapshot/testdata/regtest-110.dat")
	if err != nil {
		t.Fatal(err)
	}
	return a, fake, file
}

// beginsFrom makes the fake tell of these chainstates.
func beginsFrom(fake *nodetest.Node, states ...string) {
	answer := json.RawMessage(`{"headers":0,"chainstates":[` + strings.Join(states, ",") + `]}`)
	fake.Handle("getchainstates", func(nodetest.Call) (any, error) { return answer, nil })
}

func wantRefused(t *testing.T, err error, want string) {
	t.Helper()
	if sentence, ok := errors.AsType[*SnapshotError](err); !ok || !strings.Contains(sentence.Error(), want) {
		t.Errorf("LoadSnapshot: %v, want a sentence with %q", err, want)
	}
}

// TestSnapshotFileRefused gives the box files that are none, before anything is
// done with them.
func TestSnapshotFileRefused(t *testing.T) {
	a, _, good := snapshotBox(t)
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.Symlink("/proc/self/status", link)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"":                                "no full path",
		"bitcoind/snapshot/utxo.dat":      "no full path",
		filepath.Join(dir, "gone"):        "is the disk that holds it mounted?",
		dir:                               "no ordinary file",
		pipe:                              "no ordinary file",
		"/dev/zero":                       "no ordinary file",
		"/proc/self/status":               "is not on a disk",
		link:                              "is not on a disk",
		fileWith(t, "holiday"):            "no snapshot",
		filepath.Dir(good) + "/../doc.go": "no snapshot",
	} {
		err := a.LoadSnapshot(t.Context(), SnapshotWish{File: file, Actor: "admin", IP: "::1"})
		wantRefused(t, err, want)
		wantAudit(t, a, "snapshot.load", file, want)
	}
	if s := a.Snapshot(); s.State != SnapshotNone || !slices.Equal(s.Heights, []int32{110, 110}) || !s.Offered(109) || s.Offered(110) {
		t.Errorf("Snapshot = %+v", s)
	}
}

// TestSnapshotNeedsRoom is that of a file which fits neither beside the chain nor
// where the box lays its copy.
func TestSnapshotNeedsRoom(t *testing.T) {
	a, _, _ := snapshotBox(t)
	const large = 1 << 60
	for whose, err := range map[string]error{
		"the node": a.snapshot.fits(t.Context(), testBases()[0], large),
		"the box":  a.snapshot.room("the box", t.TempDir(), large, "for the file"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "the disk of "+whose+" has ") {
			t.Errorf("the disk of %s: %v", whose, err)
		}
	}
	if err := a.snapshot.fits(t.Context(), testBases()[0], 1); err != nil {
		t.Errorf("a small one: %v", err)
	}
}

// TestSnapshotNotNow asks for a good one where it would not do.
func TestSnapshotNotNow(t *testing.T) {
	tests := []struct {
		name  string
		given func(a *Appliance, fake *nodetest.Node)
		want  string
	}{
		{"no bases", func(a *Appliance, _ *nodetest.Node) { a.snapshot.bases = nil }, "no node can begin from a snapshot on regtest"},
		{"another's node", func(a *Appliance, _ *nodetest.Node) { a.config.External.URL = "http://10.0.0.7:8332" }, "somebody else runs"},
		{"no node", func(a *Appliance, _ *nodetest.Node) { a.runner.Store(nil) }, "does not answer yet"},
		{"begun from one", func(_ *Appliance, fake *nodetest.Node) {
			beginsFrom(fake, `{"blocks":1,"validated":true}`, `{"blocks":150,"validated":false,"snapshot_blockhash":"`+testBases()[0].Block.String()+`"}`)
		}, "begun from a snapshot already"},
		{"further", func(_ *Appliance, fake *nodetest.Node) { beginsFrom(fake, `{"blocks":110,"validated":true}`) }, "at block 110 already"},
		{"further meanwhile", func(_ *Appliance, fake *nodetest.Node) { fake.Mine(110) }, "at block 110 already"},
		{"an older version", func(_ *Appliance, fake *nodetest.Node) {
			fake.Fail("loadtxoutset", 1, -32603, "The following snapshot heights are available: 200, 299.")
		}, "takes those of the blocks [200 299]; get a newer Bitcoin Core first"},
		{"little room for blocks", func(a *Appliance, _ *nodetest.Node) {
			_ = a.saveSetting(context.Background(), settingNode, nodeSettings{PruneMiB: new(1099)})
		}, "only 1099 MiB"},
		{"on its way", func(a *Appliance, _ *nodetest.Node) { a.snapshot.now.State = SnapshotWaiting }, "on its way already"},
		{"used already", func(a *Appliance, _ *nodetest.Node) { a.snapshot.now.State = SnapshotVerified }, "begun from a snapshot already"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, fake, file := snapshotBox(t)
			test.given(a, fake)
			before := a.Snapshot()
			wantRefused(t, a.LoadSnapshot(t.Context(), SnapshotWish{File: file, Actor: "admin"}), test.want)
			if after := a.Snapshot(); after.State != before.State || after.Text != before.Text {
				t.Errorf("Snapshot = %+v, was %+v", after, before)
			}
		})
	}
}

// TestSnapshotNodeRefused names nodes that cannot help.
func TestSnapshotNodeRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "utxo-110.dat"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		given func(n *SnapshotNode, other *nodetest.Node)
		want  string
	}{
		{"another height", func(n *SnapshotNode, _ *nodetest.Node) { n.Height = 111 }, "no node begins behind block 111"},
		{"no address", func(n *SnapshotNode, _ *nodetest.Node) { n.URL = "" }, "not complete"},
		{"no login", func(n *SnapshotNode, _ *nodetest.Node) { n.CookieFile = "" }, "not complete"},
		{"another machine", func(n *SnapshotNode, _ *nodetest.Node) { n.URL = "http://10.0.0.7:8332" }, "Run there: bitcoin-cli -rpcclienttimeout=0 -named dumptxoutset utxo-110.dat rollback=110"},
		{"half a path", func(n *SnapshotNode, _ *nodetest.Node) { n.Folder = "usb" }, "no full path"},
		{"a file of that name", func(n *SnapshotNode, _ *nodetest.Node) { n.Folder = folder }, "there is a file"},
		{"gone", func(_ *SnapshotNode, other *nodetest.Node) { other.Break(503, "") }, "does not answer"},
		{"a wrong password", func(n *SnapshotNode, _ *nodetest.Node) { n.CookieFile, n.User, n.Password = "", "pool", "hunter2" }, "does not accept the user pool"},
		{"too old", func(_ *SnapshotNode, other *nodetest.Node) {
			other.Handle("getnetworkinfo", func(nodetest.Call) (any, error) {
				return json.RawMessage(`{"version":270100,"subversion":"/Satoshi:27.1.0/"}`), nil
			})
		}, "Satoshi:27.1.0"},
		{"too young", func(*SnapshotNode, *nodetest.Node) {}, "has 0 blocks only"},
		{"without the blocks", func(_ *SnapshotNode, other *nodetest.Node) {
			other.Handle("getblockchaininfo", func(nodetest.Call) (any, error) {
				return json.RawMessage(`{"chain":"regtest","blocks":900,"pruned":true,"pruneheight":600}`), nil
			})
		}, "keeps only the blocks from 600 on"},
		{"on another chain", func(_ *SnapshotNode, other *nodetest.Node) { other.Mine(120) }, "follows another chain"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, _, _ := snapshotBox(t)
			other := nodetest.New(t)
			n := SnapshotNode{URL: other.URL, CookieFile: other.CookieFile, Folder: t.TempDir(), Height: 110}
			test.given(&n, other)
			err := a.LoadSnapshot(t.Context(), SnapshotWish{Node: &n, Actor: "admin"})
			wantRefused(t, err, test.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			if other.Calls("dumptxoutset") > 0 {
				t.Error("the node was made to write")
			}
		})
	}
}

// fetched brings the file to the point where the node is asked.
func fetched(t *testing.T, a *Appliance, file string) {
	t.Helper()
	if err := a.LoadSnapshot(t.Context(), SnapshotWish{File: file, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	if err := a.snapshot.fetch(t.Context(), <-a.snapshot.orders); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotStops stops one at each point, and finds nothing left of it.
func TestSnapshotStops(t *testing.T) {
	a, _, file := snapshotBox(t)
	fetched(t, a, file)
	if s := a.Snapshot(); s.State != SnapshotWaiting || !s.Stoppable() {
		t.Fatalf("Snapshot = %+v", s)
	}
	if err := a.StopSnapshot(t.Context(), "admin", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.snapshot.dir()); !errors.Is(err, os.ErrNotExist) || a.Snapshot().State != SnapshotNone {
		t.Errorf("after a stop: %v, %+v", err, a.Snapshot())
	}

	if err := a.LoadSnapshot(t.Context(), SnapshotWish{File: file, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("it was stopped by admin"))
	o := <-a.snapshot.orders
	if err := a.snapshot.fetch(ctx, o); err == nil || !strings.Contains(err.Error(), "stopped by admin") {
		t.Errorf("a stopped copy: %v", err)
	} else {
		a.snapshot.give(t.Context(), nodeSnapshot{}, err)
	}
	if s := a.Snapshot(); s.State != SnapshotFailed || !strings.Contains(s.Text, "stopped by admin") || !s.Offered(0) {
		t.Errorf("Snapshot = %+v", s)
	}

	a.snapshot.now.State = SnapshotLoading
	wantRefused(t, a.StopSnapshot(t.Context(), "admin", ""), "cannot be stopped")
}

// TestSnapshotAfterARestart finds out what became of a snapshot that the node was
// given before the box, or the node, ended.
func TestSnapshotAfterARestart(t *testing.T) {
	base := testBases()[0]
	began := func(blocks, behind string, validated string) string {
		return `{"blocks":` + blocks + `,"validated":` + validated + `,"snapshot_blockhash":"` + behind + `"}`
	}
	tests := []struct {
		name  string
		row   nodeSnapshot
		given func(fake *nodetest.Node)
		state string
		text  string
		loads int
	}{
		{"it has it", nodeSnapshot{State: SnapshotLoading, Tries: 1}, func(fake *nodetest.Node) {
			beginsFrom(fake, `{"blocks":3,"validated":true}`, began("120", base.Block.String(), "false"))
		}, SnapshotVerifying, "block 0, 0 %", 0},
		{"it still reads", nodeSnapshot{State: SnapshotLoading, Tries: 1}, func(fake *nodetest.Node) {
			fake.Handle("getrpcinfo", func(nodetest.Call) (any, error) {
				return json.RawMessage(`{"active_commands":[{"method":"loadtxoutset","duration":5}]}`), nil
			})
		}, SnapshotLoading, "The node reads", 0},
		{"it lost it", nodeSnapshot{State: SnapshotLoading, Tries: 1}, func(fake *nodetest.Node) {
			fake.Handle("loadtxoutset", func(nodetest.Call) (any, error) { return map[string]any{}, nil })
		}, SnapshotVerifying, "block 0, 0 %", 1},
		{"it ends again and again", nodeSnapshot{State: SnapshotLoading, Tries: 3}, func(*nodetest.Node) {}, SnapshotFailed, "ended 3 times", 0},
		{"it refuses", nodeSnapshot{State: SnapshotLoading}, func(fake *nodetest.Node) {
			fake.Fail("loadtxoutset", 1, -32603, "Unable to load UTXO snapshot: Population failed: Bad snapshot content hash: expected a, got b.")
		}, SnapshotFailed, "Bad snapshot content hash", 1},
		{"it came there by itself", nodeSnapshot{State: SnapshotWaiting}, func(fake *nodetest.Node) { fake.Mine(111) }, SnapshotFailed, "block 111 by itself", 0},
		{"it does not know the header", nodeSnapshot{State: SnapshotWaiting}, func(fake *nodetest.Node) { fake.Mine(7) }, SnapshotWaiting, "it knows 7", 0},
		{"it verifies", nodeSnapshot{State: SnapshotVerifying, Tip: 110}, func(fake *nodetest.Node) {
			beginsFrom(fake, `{"blocks":55,"validated":true}`, began("400", base.Block.String(), "false"))
		}, SnapshotVerifying, "block 55, 50 %", 0},
		{"it has verified", nodeSnapshot{State: SnapshotVerifying, Tip: 300}, func(fake *nodetest.Node) {
			beginsFrom(fake, began("301", base.Block.String(), "true"))
		}, SnapshotVerified, "was right", 0},
		{"it has verified and started again", nodeSnapshot{State: SnapshotVerifying, Tip: 300}, func(fake *nodetest.Node) {
			beginsFrom(fake, `{"blocks":302,"validated":true}`)
		}, SnapshotVerified, "was right", 0},
		{"it gave it up", nodeSnapshot{State: SnapshotVerifying, Tip: 300}, func(fake *nodetest.Node) {
			beginsFrom(fake, `{"blocks":110,"validated":true}`)
		}, SnapshotFailed, "does not use the snapshot of block 110 any more and verifies the chain itself, from block 110 on", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, fake, _ := snapshotBox(t)
			test.row.Height, test.row.Block, test.row.Actor = base.Height, base.Block, "admin"
			if err := a.saveSetting(t.Context(), settingSnapshot, test.row); err != nil {
				t.Fatal(err)
			}
			if err := a.snapshot.open(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if s := a.Snapshot(); s.State != test.row.State || s.Height != 110 {
				t.Errorf("before it is asked: %+v", s)
			}
			test.given(fake)
			if err := a.snapshot.advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := a.Snapshot(); s.State != test.state || !strings.Contains(s.Text, test.text) {
				t.Errorf("Snapshot = %+v, want %s with %q", s, test.state, test.text)
			}
			if n := fake.Calls("loadtxoutset"); n != test.loads {
				t.Errorf("the node was given the file %d times, want %d", n, test.loads)
			}
			var row nodeSnapshot
			if _, err := a.readSetting(t.Context(), settingSnapshot, &row); err != nil || row.State != test.state {
				t.Errorf("remembered is %+v, %v", row, err)
			}
		})
	}
}

// TestSnapshotCopyLost ends the box while it copies: the next start says so, by
// offering it again, and has nothing left of the copy.
func TestSnapshotCopyLost(t *testing.T) {
	a, _, file := snapshotBox(t)
	if err := a.LoadSnapshot(t.Context(), SnapshotWish{File: file, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.snapshot.run(ctx) }()
	for a.Snapshot().State != SnapshotWaiting {
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := a.saveSetting(t.Context(), settingSnapshot, nodeSnapshot{State: SnapshotNone}); err != nil {
		t.Fatal(err)
	}
	if err := a.snapshot.open(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.snapshot.file()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
}

// TestSnapshotUnread: what the node does not have yet, a restored
// wallet does not ask for.
func TestSnapshotUnread(t *testing.T) {
	var k snapshotKeeper
	for state, want := range map[string]int32{"": -1, SnapshotWaiting: -1, SnapshotVerifying: 110, SnapshotVerified: -1} {
		k.row = nodeSnapshot{State: state, Height: 110}
		if got := k.unread(); got != want {
			t.Errorf("%s: unread() = %d, want %d", state, got, want)
		}
	}
}
