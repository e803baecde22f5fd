package appliance

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// A box whose node's coins are damaged mends them by itself and goes on where it
// was; when it happens again it asks, and does it when somebody says so.
func TestNodeRepairOfTheBox(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	b := startBox(t, dir, binary)
	b.mine()
	b.eventually("there are blocks", func() bool { return b.box.Pool().Status().Height > 8 })
	b.rest()
	height := b.box.Pool().Status().Height
	if err := b.box.RepairNode(ctx, "admin", "127.0.0.1"); !errors.Is(err, ErrNothingToRepair) {
		t.Errorf("RepairNode() of a sound node = %v", err)
	}
	b.stop()

	spoilCoins(t, dir)
	b = startBox(t, dir, binary)
	if s := b.box.Node(ctx); s.Height < height || s.Repair {
		t.Errorf("Node() = %+v after the repair, want block %d", s, height)
	}
	audit, err := b.box.AuditLog(ctx, 1)
	if err != nil || len(audit) != 1 || audit[0].Action != "node.repair" || audit[0].Actor != "box" || audit[0].Detail["flag"] != "-reindex-chainstate" {
		t.Errorf("audit %+v, %v", audit, err)
	}
	b.stop()

	spoilCoins(t, dir)
	b = launchBox(t, dir, binary)
	b.eventually("the box asks", func() bool { return b.box.Node(ctx).Repair })
	h := b.box.Health(ctx)
	if c := h.Checks[0]; c.Status != Down || !strings.Contains(c.Reason, "the last repair was on") {
		t.Errorf("Health() = %+v", c)
	}
	if err := b.box.RepairNode(ctx, "admin", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	b.eventually("the node is whole again", func() bool { s := b.box.Node(ctx); return s.Asked && s.Height >= height && !s.Repair })
	b.check()
}

// spoilCoins writes nonsense over the manifest of the regtest node's coins.
func spoilCoins(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "regtest/node/regtest/regtest/chainstate/MANIFEST-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("manifests %v, %v", files, err)
	}
	if err := os.WriteFile(files[0], bytes.Repeat([]byte("nonsense"), 20), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNodeRepairIsAllowedOnceInThirtyDays(t *testing.T) {
	ctx := t.Context()
	a, err := New(ctx, Config{DataDir: t.TempDir(), Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	mend := func() error { return a.mendNode(ctx, bitcoind.ClassBlocks, bitcoind.RepairBlocks) }
	if err := mend(); err != nil {
		t.Errorf("the first repair: %v", err)
	}
	if err := mend(); err == nil || !strings.Contains(err.Error(), "on the node page") {
		t.Errorf("the second repair: %v, want a person to be asked", err)
	}
	for age, allowed := range map[time.Duration]bool{29 * 24 * time.Hour: false, 31 * 24 * time.Hour: true} {
		if err := a.saveSetting(ctx, settingRepair, nodeRepair{At: time.Now().Add(-age)}); err != nil {
			t.Fatal(err)
		}
		if err := mend(); (err == nil) != allowed {
			t.Errorf("a repair %s after the last one: %v", age, err)
		}
	}
}

func TestBallast(t *testing.T) {
	a, err := New(t.Context(), Config{DataDir: t.TempDir(), Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	size := func() int64 {
		info, err := os.Stat(a.dir.ballast("signet"))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	const gb = 1_000_000_000
	for _, step := range []struct {
		what       string
		free, size int64
	}{
		{"too little room to lay it in", 5 * gb, 0},
		{"room", 6 * gb, ballastSize},
		{"the node is stopped, the ballast stays", 1 * gb, ballastSize},
		{"an emergency", ballastLetGo - 1, 0},
		{"what it gave back is not taken again", ballastLetGo + ballastSize, 0},
		{"room again", 6 * gb, ballastSize},
	} {
		a.trimBallast(bitcoind.Machine{DiskTotal: 100 * gb, DiskFree: step.free})
		if got := size(); got != step.size {
			t.Errorf("%s: the ballast has %d bytes, want %d", step.what, got, step.size)
		}
	}
}

func TestRoomWarning(t *testing.T) {
	const gb = 1_000_000_000
	for _, test := range []struct {
		network string
		free    int64
		want    string
	}{
		{"main", 21 * gb, ""},
		{"main", 19 * gb, "fills up: 19000 MB"},
		{"main", 4 * gb, "nearly full: 4000 MB are free, and the node is stopped below 2000 MB"},
		{"practice", 2 * gb, ""},
		{"practice", gb / 4, "stopped below 200 MB"},
	} {
		w, warned := roomWarning(test.network, "/node", bitcoind.Machine{DiskTotal: 1000 * gb, DiskFree: test.free})
		if warned != (test.want != "") || !strings.Contains(w.Text, test.want) || warned && w.Next == "" {
			t.Errorf("roomWarning(%s, %d) = %+v, want %q", test.network, test.free, w, test.want)
		}
	}
}

func TestClockWarning(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		tip, peers time.Duration
		want       string
	}{
		{-time.Hour, 0, ""},
		{time.Hour, 60 * time.Second, ""},
		{0, 61 * time.Second, "1m1s behind those"},
		{0, -90 * time.Second, "1m30s ahead of those"},
		{3 * time.Hour, 0, "3h0m0s ahead of this machine's clock"},
	} {
		w, warned := clockWarning(now, now.Add(test.tip), test.peers)
		if warned != (test.want != "") || !strings.Contains(w.Text, test.want) || warned && !strings.Contains(w.Next, "NTP") {
			t.Errorf("clockWarning(%v, %v) = %+v, want %q", test.tip, test.peers, w, test.want)
		}
	}
}
