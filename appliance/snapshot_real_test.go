package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
	"github.com/dmpool/dmpool/pool/node"
)

// testBases are the blocks at height 110 behind which a node can begin on regtest:
// those of the chain that Bitcoin Core's own unit tests mine, whose coinbases look
// different since version 30.
func testBases() []snapshot.Base {
	base := func(block, coins string) snapshot.Base {
		b, err := chainhash.NewHashFromStr(block)
		c, err2 := chainhash.NewHashFromStr(coins)
		if errors.Join(err, err2) != nil {
			panic("a hash of a test")
		}
		return snapshot.Base{Height: 110, Block: *b, Coins: *c}
	}
	return []snapshot.Base{
		base("696e92821f65549c7ee134edceeeeaaa4105647a3c4fd9f298c0aec0ab50425c", "6657b736d4fe4db0cbc796789e812d5dba7f5c143764b1b6905612f1830609d1"),
		base("6affe030b7965ab538f820a56ef56c8149b7dc1d1c144af57113be080db7c397", "b952555c8ab81fec46f3d4253b7af256d766ceb39fb7752b9d18cdf4a0141327"),
	}
}

// chainOfCore mines that chain again: 110 blocks, a second apart, for the key 1;
// and then 50 of today, so that the node counts as synced.
func (s *stranger) chainOfCore() {
	s.t.Helper()
	const descriptor = "pk(0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798)#gn28ywm7"
	const begin = 1598887952
	mine := func(blocks int) []string {
		var hashes []string
		s.call("generatetodescriptor", &hashes, blocks, descriptor)
		return hashes
	}
	last := ""
	for i := range 110 {
		s.call("setmocktime", nil, begin+i)
		last = mine(1)[0]
	}
	if bases := testBases(); last != bases[0].Block.String() && last != bases[1].Block.String() {
		s.t.Fatalf("block 110 is %s, behind which no node is known to begin", last)
	}
	s.call("setmocktime", nil, 0)
	mine(50)
}

func (s *stranger) call(method string, out any, params ...any) {
	s.t.Helper()
	if err := s.client.Call(s.t.Context(), method, out, params...); err != nil {
		s.t.Fatal(err)
	}
}

// raw returns a block, or its header, in hex.
func (s *stranger) raw(height int, whole bool) (text string) {
	s.t.Helper()
	var hash string
	s.call("getblockhash", &hash, height)
	if whole {
		s.call("getblock", &text, hash, 0)
	} else {
		s.call("getblockheader", &text, hash, false)
	}
	return text
}

// hand gives the box's node blocks, or their headers, of the other node.
func (s *stranger) hand(to *node.Client, from, last int, whole bool) {
	s.t.Helper()
	method := "submitheader"
	if whole {
		method = "submitblock"
	}
	for height := from; height <= last; height++ {
		if err := to.Call(s.t.Context(), method, nil, s.raw(height, whole)); err != nil && !errors.Is(err, node.ErrBadAnswer) {
			s.t.Fatal(err)
		}
	}
}

// dump has the other node write its coins.
func (s *stranger) dump(file string, height int) []byte {
	s.t.Helper()
	if _, err := s.client.DumpSnapshot(s.t.Context(), file, int32(height)); err != nil {
		s.t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return content
}

// untilSnapshot waits for what the box says about the snapshot.
func (b *runningBox) untilSnapshot(state, text string) {
	b.t.Helper()
	b.eventually("the snapshot is "+state+": "+text, func() bool {
		s := b.box.Snapshot()
		return s.State == state && strings.Contains(s.Text, text)
	})
}

// readsFrom tells whether a wallet can read the chain from a height on.
func (b *runningBox) readsFrom(height int32, want bool) {
	b.t.Helper()
	name := fmt.Sprintf("reader-%d", height)
	reader := b.box.node.ForWallet(name)
	if err := b.box.node.Call(b.t.Context(), "createwallet", nil, name); err != nil {
		b.t.Fatal(err)
	}
	if err := reader.Rescan(b.t.Context(), height); (err == nil) != want {
		b.t.Errorf("a wallet that reads from block %d on: %v, want success: %t", height, err, want)
	}
	if err := reader.UnloadWallet(b.t.Context(), name); err != nil {
		b.t.Fatal(err)
	}
}

// TestNodeBeginsFromASnapshot brings a snapshot into a real node, from a file and
// from another node: what is wrong with one is said before, or by the node; what is
// right makes it ready at once, and it verifies the history later.
func TestNodeBeginsFromASnapshot(t *testing.T) {
	t.Parallel()
	other := newStranger(t)
	other.start()
	other.chainOfCore()
	usb := t.TempDir()
	good := other.dump(filepath.Join(usb, "good.dat"), 110)
	other.dump(filepath.Join(usb, "105.dat"), 105)
	bad := append([]byte(nil), good...)
	bad[snapshot.HeaderSize]++ // the id of the first transaction, which could be any
	for name, content := range map[string][]byte{"bad.dat": bad, "half.dat": good[:len(good)-100]} {
		if err := os.WriteFile(filepath.Join(usb, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	config := Config{DataDir: dir, Bitcoind: other.binary, Snapshots: testBases()}
	b := launchWith(t, config)
	b.eventually("the node runs and the wallet is made", func() bool { return b.box.nodeIsReady() && b.box.Wallet(t.Context()).Loaded })
	load := func(file string) error {
		return b.box.LoadSnapshot(t.Context(), SnapshotWish{File: filepath.Join(usb, file), Actor: "admin", IP: "::1"})
	}
	if err := load("105.dat"); !errors.Is(err, snapshot.ErrBlock) || !errors.As(err, new(*SnapshotError)) {
		t.Errorf("the snapshot of a block that is not pinned: %v", err)
	}
	if err := load("half.dat"); err != nil {
		t.Fatal(err)
	}
	b.untilSnapshot(SnapshotFailed, "was not copied to its end")
	wantAudit(t, b.box, "snapshot.load.done", "", "not copied to its end")

	if err := load("bad.dat"); err != nil {
		t.Fatal(err)
	}
	b.untilSnapshot(SnapshotWaiting, "up to block 110; it knows 0")
	if err := load("good.dat"); err == nil || !strings.Contains(err.Error(), "on its way already") {
		t.Errorf("a second one meanwhile: %v", err)
	}
	other.hand(b.box.node, 1, 110, false)
	b.untilSnapshot(SnapshotFailed, "Bad snapshot content hash")
	if _, err := os.Stat(b.box.snapshot.file()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy of a bad snapshot is still there: %v", err)
	}

	from := &SnapshotNode{URL: other.conf.RPCURL(), CookieFile: other.conf.CookieFile(), Folder: usb, Height: 110}
	if err := b.box.LoadSnapshot(t.Context(), SnapshotWish{Node: from, Actor: "admin", IP: "::1"}); err != nil {
		t.Fatal(err)
	}
	b.untilSnapshot(SnapshotVerifying, "block 0, 0 %")
	if _, err := os.Stat(b.box.snapshot.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(usb, "utxo-110.dat")); err != nil {
		t.Errorf("the other node's file is gone: %v", err)
	}
	wantAudit(t, b.box, "snapshot.load", from.URL, "ok")
	wantAudit(t, b.box, "snapshot.load.done", "block 110", "ok")

	// What a node has begun with survives its sudden death. A wallet from before is
	// opened again as soon as there are blocks of its time, which it has to read.
	b.killNode()
	b.eventually("the node is back", func() bool { n := b.box.Node(t.Context()); return n.Asked && n.Height == 110 })
	b.eventually("the wallet waits", func() bool { return strings.Contains(b.box.Wallet(t.Context()).Problem, "has the blocks of its time") })
	other.hand(b.box.node, 111, 160, true)
	b.eventually("the wallet is back", func() bool { _, err := b.box.node.WalletInfo(t.Context()); return err == nil })
	b.readsFrom(0, false)
	b.readsFrom(111, true)
	other.hand(b.box.node, 1, 55, true)
	b.untilSnapshot(SnapshotVerifying, "block 55, 50 %")
	s := b.box.Node(t.Context())
	if s.Height != 160 || s.IBD || !strings.Contains(s.Text, "verifies the history before that block in the background: block 55, 50 %") {
		t.Errorf("the node is shown as %+v", s)
	}
	if err := load("good.dat"); err == nil || !strings.Contains(err.Error(), "begun from a snapshot already") {
		t.Errorf("once more: %v", err)
	}
	b.stop()

	b = launchWith(t, config)
	b.eventually("the box is healthy", func() bool { return b.box.Health(context.Background()).Status == Healthy })
	b.untilSnapshot(SnapshotVerifying, "block 55, 50 %")
	other.hand(b.box.node, 56, 110, true)
	b.untilSnapshot(SnapshotVerified, "the snapshot was right")
	wantAudit(t, b.box, "snapshot.verified", "block 110", "ok")
	b.stop()

	b = launchWith(t, config)
	b.eventually("the box is healthy", func() bool { return b.box.Health(context.Background()).Status == Healthy })
	if s := b.box.Snapshot(); s.State != SnapshotVerified {
		t.Errorf("after another restart the snapshot is %+v", s)
	}
	b.stop()
}
