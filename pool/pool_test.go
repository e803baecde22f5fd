package pool

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBlockGoesFromFoundToMature(t *testing.T) {
	b := newBench(t)
	first := b.mine()
	b.awaitState(first, ledger.StateAccepted)
	if s := b.sums(); s.Immature != subsidy || s.Pending != subsidy || s.Payable != 0 {
		t.Errorf("sums after the block: %+v", s)
	}
	b.node.Mine(testMaturity - 1)
	b.awaitState(first, ledger.StateMature)
	if s := b.sums(); s.Spendable != subsidy || s.Payable != subsidy || s.Pending != 0 {
		t.Errorf("sums after maturity: %+v", s)
	}
}

func TestFault34OrphanIsReversedAndCanComeBack(t *testing.T) {
	b := newBench(t)
	b.node.Mine(1)
	parent, _ := b.node.Tip()
	hash := b.mine()
	b.awaitState(hash, ledger.StateAccepted)
	b.node.Fork(parent, 2)
	b.awaitState(hash, ledger.StateOrphaned)
	if s := b.sums(); s.Immature != 0 || s.Pending != 0 {
		t.Errorf("sums of an orphan: %+v", s)
	}
	b.node.Fork(hash, 3)
	b.awaitState(hash, ledger.StateAccepted)
	if s := b.sums(); s.Immature != subsidy || s.Pending != subsidy {
		t.Errorf("sums after it came back: %+v", s)
	}
}

func TestNodeThatForgotBlocksGetsThemBack(t *testing.T) {
	b := newBench(t)
	var hashes []chainhash.Hash
	for range 4 {
		hashes = append(hashes, b.mine())
	}
	b.awaitState(hashes[3], ledger.StateAccepted)
	before := b.sums()
	b.eventually("the cursor is at the tip", func() bool {
		height, _, ok, err := b.ledger.Cursor(context.Background())
		return err == nil && ok && height == 4
	})
	b.node.Forget(3)
	b.eventually("the node has its blocks again", func() bool {
		tip, height := b.node.Tip()
		return height == 4 && tip == hashes[3]
	})
	for _, hash := range hashes {
		b.awaitState(hash, ledger.StateAccepted)
	}
	if after := b.sums(); after != before {
		t.Errorf("money moved: %+v, before %+v", after, before)
	}
	b.mine() // and mining goes on
}

// Blocks of others that a private chain has lost are lost for good: mining goes
// on from what is left of it, and the money of our own lower blocks stays.
func TestPrivateChainGoesOnWhenBlocksAreLost(t *testing.T) {
	b := newBench(t)
	hash := b.mine()
	b.awaitState(hash, ledger.StateAccepted)
	b.node.Mine(2)
	b.eventually("the cursor is at the tip", func() bool {
		height, _, ok, err := b.ledger.Cursor(context.Background())
		return err == nil && ok && height == 3
	})
	b.node.Forget(2)
	b.awaitState(b.mine(), ledger.StateAccepted)
	b.awaitState(hash, ledger.StateAccepted)
}

// A node that still reads its own block files has lost nothing: the private chain
// does not go on from where it happens to be.
func TestPrivateChainWaitsForANodeThatReadsItsBlocks(t *testing.T) {
	b := newBench(t)
	b.awaitState(b.mine(), ledger.StateAccepted)
	first, _ := b.node.Tip()
	b.node.Mine(2)
	cursor := func() int32 {
		height, _, _, err := b.ledger.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return height
	}
	b.eventually("the cursor is at the tip", func() bool { return cursor() == 3 })
	reading := map[string]any{"chain": "regtest", "blocks": 1, "headers": 3, "bestblockhash": first.String(), "initialblockdownload": true}
	answer := func(headers int) {
		reading["headers"] = headers
		told := maps.Clone(reading)
		b.node.Handle("getblockchaininfo", func(nodetest.Call) (any, error) { return told, nil })
	}
	answer(3)
	b.node.Forget(2)
	if err := b.pool.CheckBlocks(t.Context()); err != nil || cursor() != 3 {
		t.Errorf("cursor at %d (%v) while the node reads its blocks, want 3", cursor(), err)
	}
	answer(1)
	if err := b.pool.CheckBlocks(t.Context()); err != nil || cursor() != 1 {
		t.Errorf("cursor at %d (%v) when it has read them all, want 1", cursor(), err)
	}
}

func TestBlockIsSubmittedUntilTheNodeAnswers(t *testing.T) {
	b := newBench(t)
	share := b.solve("rig")
	b.node.Fail("submitblock", 3, node.ErrCodeWarmup, "Loading wallet…")
	b.pool.Found(share)
	if _, err := b.pool.Accepted(t.Context(), share); err != nil {
		t.Fatal(err)
	}
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	if n := b.node.Calls("submitblock"); n < 4 {
		t.Errorf("submitblock was called %d times", n)
	}
}

// A crash between the ledger's and the share log's commit leaves a block whose
// winning share is not stored. The next start writes it.
func TestWinningShareLostInACrash(t *testing.T) {
	b := newBench(t)
	b.mine()
	share := b.solve("rig")
	b.pool.Found(share) // and the share itself never reaches the log
	b.stop()
	b.start()
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	if s := b.sums(); s.Pending != 2*subsidy {
		t.Errorf("sums: %+v", s)
	}
	seq, found, err := b.shares.Winner(t.Context(), share.Proof.Hash)
	if err != nil || !found {
		t.Errorf("winning share %d, %v, %v", seq, found, err)
	}
}

// A crash before submitblock, or right after it, must not lose the block.
func TestFault37CrashBeforeSubmit(t *testing.T) {
	b := newBench(t)
	hash := b.mine()
	b.awaitState(hash, ledger.StateAccepted)
	b.stop()
	b.node.Forget(1)
	b.start()
	b.eventually("the node has the block", func() bool {
		tip, _ := b.node.Tip()
		return tip == hash
	})
	b.awaitState(hash, ledger.StateAccepted)
}

func TestSameBlockTwiceIsBookedOnce(t *testing.T) {
	b := newBench(t)
	share := b.solve("rig")
	for range 2 {
		b.pool.Found(share)
	}
	if _, err := b.pool.Accepted(t.Context(), share); err != nil {
		t.Fatal(err)
	}
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	if s := b.sums(); s.Pending != subsidy {
		t.Errorf("sums: %+v", s)
	}
}

// Whatever hangs on a block's way, a disk above all, holds it up no longer than
// patience, and the pool does not end without it.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		hanging := make(chan struct{})
		begun := time.Now()
		done, inTime := p.within(recordPatience, func() { <-hanging })
		if waited := time.Since(begun); inTime || waited != recordPatience {
			t.Errorf("waited %v for what hangs, in time %v", waited, inTime)
		}
		if _, inTime := p.within(recordPatience, func() {}); !inTime {
			t.Error("what is done at once came too late")
		}
		ended := make(chan struct{})
		go func() {
			p.inFlight.Wait()
			close(ended)
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the pool would end without it")
		default:
		}
		close(hanging)
		<-done
		<-ended
	})
}

// Another job of the last template does not come before the first of the next.
func TestNewerTemplateFirst(t *testing.T) {
	updates := make(chan node.Update, 1)
	last, next := node.Update{Reason: "start"}, node.Update{Reason: "zmq"}
	if got := newer(last, updates); got != last {
		t.Errorf("nothing waits, got %+v", got)
	}
	updates <- next
	if got := newer(last, updates); got != next {
		t.Errorf("got %+v, want what waits", got)
	}
}

// A ledger that hangs holds up neither the block nor, when the pool dies before
// the ledger answers, its reward.
func TestBlockThatTheLedgerDidNotTakeSurvivesACrash(t *testing.T) {
	b := newBench(t)
	b.awaitState(b.mine(), ledger.StateAccepted)
	share := b.solve("rig")
	block := ledger.Found{}
	release := b.holdLedger()
	b.pool.Found(share)
	if tip, _ := b.node.Tip(); tip != share.Proof.Hash {
		t.Errorf("the node's tip is %s: the block waited for the ledger", tip)
	}
	files, err := filepath.Glob(filepath.Join(b.dir, "*.block.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept blocks: %v, %v", files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	release()
	b.eventually("the file is gone once the ledger has the block", func() bool {
		_, err := os.Stat(files[0])
		return errors.Is(err, os.ErrNotExist)
	})
	b.stop()

	// As if the pool had died before: the file is there, the ledger is an older one.
	if err := json.Unmarshal(kept, &block); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(files[0], kept, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.awaitState(block.Hash, ledger.StateAccepted)
	if s := b.sums(); s.Pending != subsidy {
		t.Errorf("sums: %+v", s)
	}
}

// holdLedger keeps the ledger's only writer busy until the function that it
// returns is called.
func (b *bench) holdLedger() (release func()) {
	held, done := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- b.ledger.Update(context.Background(), func(*ledger.Tx) error {
			close(held)
			<-done
			return nil
		})
	}()
	<-held
	return func() {
		close(done)
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	}
}

func TestSolutionSentAgainWhileTheNodeIsAwayIsNotTakenTwice(t *testing.T) {
	b := newBench(t)
	share := b.solve("rig")
	events, cancel := b.events.Subscribe()
	defer cancel()
	release := make(chan struct{})
	b.node.Handle("submitblock", func(nodetest.Call) (any, error) {
		<-release
		return nil, nil
	})
	for range 3 {
		b.pool.Found(share)
	}
	close(release)
	b.eventually("the block is done", func() bool {
		state, _ := b.pool.lately.Load(share.Proof.Hash)
		return state == done
	})
	b.pool.Found(share)
	// The node may be given the block more often: it is asked whether it knows
	// the block, and this one never does.
	taken := 0
	for len(events) > 0 {
		if ev := <-events; ev.Kind == "block" {
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("the block was taken %d times", taken)
	}
}

func TestMinersWaitForTheWallet(t *testing.T) {
	b := newBench(t)
	b.eventually("mining", func() bool { return b.pool.Status().Serving })
	b.pool.script.Store(nil)
	b.node.Mine(1)
	b.eventually("mining waits", func() bool { return !b.pool.Status().Serving })
	b.pool.SetScript(b.pool.Script)
	b.eventually("mining goes on", func() bool { return b.pool.Status().Serving })
}

// A block that can be neither submitted nor shared out, because what is stored
// of it is damaged, keeps neither the other blocks nor the miners waiting.
func TestDamagedBlockDoesNotStopTheOthers(t *testing.T) {
	b := newBench(t)
	damaged := ledger.Found{
		Hash: chainhash.Hash{1}, Height: 1, At: time.Now(), Address: "damaged", Script: []byte{1}, Work: 1,
		Terms: DefaultSettings("regtest").Terms(), Raw: []byte("damaged"),
	}
	if err := b.ledger.RecordFound(t.Context(), damaged); err != nil {
		t.Fatal(err)
	}
	b.awaitState(b.mine(), ledger.StateAccepted)
	if err := b.pool.CheckBlocks(t.Context()); err == nil {
		t.Error("the block check does not tell of the damaged block")
	}

	share := b.solve("rig")
	b.pool.Found(share) // and the share itself never reaches the log
	b.stop()
	b.start()
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	b.awaitState(b.mine(), ledger.StateAccepted)
}

func TestApplyRefusesBadSettings(t *testing.T) {
	b := newBench(t)
	if err := b.pool.Apply(Settings{}); err == nil {
		t.Error("settings without a name were applied")
	}
	want := b.pool.CurrentSettings()
	want.FeeBps = 100
	if err := b.pool.Apply(want); err != nil || b.pool.CurrentSettings() != want {
		t.Errorf("settings %+v, %v", b.pool.CurrentSettings(), err)
	}
}
