package pool

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// signetAddress is that of [poolAddress] on a chain that others have as well.
const signetAddress = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"

// newPublicBench is a bench on a chain that others have as well.
func newPublicBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.stop()
	b.network, b.wallet = "signet", signetAddress
	b.start()
	return b
}

// lag keeps the chain loop from any further pass, as one does that takes long,
// until the function that it returns is called.
func (b *bench) lag() (end func()) {
	turn := b.pool.turn
	turn <- struct{}{}
	return func() { <-turn }
}

func (b *bench) awaitCursor(want int32) {
	b.t.Helper()
	b.eventually("the cursor is at the tip", func() bool {
		height, _, ok, err := b.ledger.Cursor(context.Background())
		return err == nil && ok && height == want
	})
}

// awaitBehind waits until the pool gives no work on a tip because the node has
// lost blocks. It fails when it does give work on it.
func (b *bench) awaitBehind(tip chainhash.Hash) {
	b.t.Helper()
	b.eventually("the pool gives no work", func() bool {
		now := b.pool.serving.Load()
		if now.reason == "" && now.template != nil && now.template.PrevHash == tip {
			b.t.Fatalf("work on the shorter chain, at height %d", now.template.Height)
		}
		return now.reason == behindReason
	})
}

func (b *bench) awaitTip(want chainhash.Hash) {
	b.t.Helper()
	b.eventually("the node's tip is "+want.String(), func() bool { return b.tip() == want })
}

// agreed waits until all of these blocks are in the chain, the last one as its tip.
func (b *bench) agreed(hashes ...chainhash.Hash) {
	b.t.Helper()
	b.awaitState(hashes[len(hashes)-1], ledger.StateAccepted)
	for _, hash := range hashes {
		b.eventually("block "+hash.String()+" is in the chain", func() bool {
			block, err := b.ledger.Block(context.Background(), hash)
			return err == nil && (block.State == ledger.StateAccepted || block.State == ledger.StateMature)
		})
	}
	b.sums()
}

// A node that has lost blocks which came faster than the chain loop moved its
// cursor does not look as if it was behind the cursor. Its miners wait all the
// same until it has them again, after a restart of both and of the node alone.
func TestNoWorkBelowBlocksThatTheCursorHasNotSeen(t *testing.T) {
	t.Run("power cut", func(t *testing.T) {
		b := newBench(t)
		first := b.mine()
		b.awaitState(first, ledger.StateAccepted)
		b.awaitCursor(1)
		b.lag()
		own := []chainhash.Hash{first, b.mine(), b.mine(), b.mine()}
		b.cutPower(func() { b.node.Forget(3) })
		b.awaitBehind(first)
		close(b.gate)
		b.awaitTip(own[3])
		b.agreed(append(own, b.mine())...)
	})
	t.Run("node killed", func(t *testing.T) {
		b := newBench(t)
		first := b.mine()
		b.awaitState(first, ledger.StateAccepted)
		b.awaitCursor(1)
		end := b.lag()
		own := []chainhash.Hash{first, b.mine(), b.mine(), b.mine()}
		late := b.solve("rig") // on the last tip, which the node is about to forget
		b.node.Forget(3)
		b.awaitBehind(first)
		b.finish(late)
		end()
		b.awaitTip(late.Proof.Hash)
		b.agreed(append(own, late.Proof.Hash, b.mine())...)
	})
}

// cutPower ends the pool without what it writes at an ordinary end, lets the node
// lose blocks and starts the pool again, whose blocks reach the node when the gate
// is closed.
func (b *bench) cutPower(lose func()) {
	b.t.Helper()
	b.stop()
	if err := os.Remove(filepath.Join(b.dir, "jobs.held")); err != nil {
		b.t.Fatal(err)
	}
	lose()
	b.gate = make(chan struct{})
	b.start()
}

// The same with a real node that is killed, and whose files are those of before
// its newest blocks.
func TestNoWorkBelowForgottenBlocksRealNode(t *testing.T) {
	for _, both := range []bool{true, false} {
		name := map[bool]string{true: "power cut", false: "node killed"}[both]
		t.Run(name, func(t *testing.T) {
			b, client := newRealBench(t)
			if err := client.Call(t.Context(), "generatetoaddress", nil, 3, addressOf(t, 9)); err != nil {
				t.Fatal(err)
			}
			b.start()
			t.Cleanup(func() { b.stop() })
			own := []chainhash.Hash{b.mine(), b.mine()}
			b.awaitState(own[1], ledger.StateAccepted)
			b.awaitCursor(5)

			files := filepath.Join(b.real.dir, "regtest")
			older := t.TempDir()
			b.real.end()
			for _, part := range []string{"blocks", "chainstate"} {
				if err := os.CopyFS(filepath.Join(older, part), os.DirFS(filepath.Join(files, part))); err != nil {
					t.Fatal(err)
				}
			}
			b.real.start()
			end := b.lag()
			for range 4 {
				own = append(own, b.mine())
			}
			lose := func() {
				b.real.kill()
				for _, part := range []string{"blocks", "chainstate"} {
					if err := os.RemoveAll(filepath.Join(files, part)); err != nil {
						t.Fatal(err)
					}
					if err := os.CopyFS(filepath.Join(files, part), os.DirFS(filepath.Join(older, part))); err != nil {
						t.Fatal(err)
					}
				}
				b.real.start()
				if tip := b.tip(); tip != own[1] {
					t.Fatalf("the node came back with %s as its tip, want %s", tip, own[1])
				}
			}
			if both {
				b.cutPower(lose)
				end = func() { close(b.gate) }
			} else {
				lose()
			}
			b.awaitBehind(own[1])
			end()
			b.awaitTip(own[5])
			b.agreed(append(own, b.mine())...)
		})
	}
}

// A block that will never be in the chain holds up no work: not one that cannot
// be submitted, on the tip that the miners have or on a new one.
func TestBlockThatTheNodeNeverTakesHoldsUpNoWork(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"same tip": func(b *bench) { b.pool.offerAgain() },
		"new tip":  func(b *bench) { b.node.Mine(1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.awaitState(b.mine(), ledger.StateAccepted)
			b.solve("rig") // there is work on it
			damaged := ledger.Found{
				Hash: chainhash.Hash{1}, Height: 5, At: time.Now(), Address: "damaged", Script: []byte{1}, Work: 1,
				Terms: DefaultSettings("regtest").Terms(), Raw: []byte("damaged"),
			}
			end := b.lag()
			if err := b.ledger.RecordFound(t.Context(), damaged); err != nil {
				t.Fatal(err)
			}
			before := b.pool.serving.Load()
			change(b)
			tip := b.tip()
			b.eventually("the template is held back", func() bool {
				held := b.pool.heldTip.Load()
				return held != nil && *held == tip
			})
			if now := b.pool.serving.Load(); now.job != before.job {
				t.Error("a job left while the node was behind")
			}
			end()
			b.eventually("a job", func() bool {
				now := b.pool.serving.Load()
				return now.reason == "" && now.job != before.job && now.template.PrevHash == tip
			})
		})
	}
}

// On a chain that others have the pool waits for them when the node lacks a block
// that is not ours. Nothing is taken for refused or lost meanwhile.
func TestPublicChainWaitsForTheOthers(t *testing.T) {
	b := newPublicBench(t)
	tip := b.tip()
	raw := b.node.Block(b.node.Mine(1)[0])
	own := b.mineFor(signetAddress + ".rig")
	b.awaitState(own, ledger.StateAccepted)
	b.node.Forget(2)
	b.awaitBehind(tip)
	for range 3 {
		if err := b.pool.CheckBlocks(t.Context()); err != nil {
			t.Error(err)
		}
		if block, err := b.ledger.Block(t.Context(), own); err != nil || block.State != ledger.StateAccepted {
			t.Errorf("block is %s, %v", block.State, err)
		}
		if b.pool.Status().Serving {
			t.Error("there is work on the shorter chain")
		}
	}
	client := node.New(b.rpc)
	defer client.CloseIdle()
	if answer, err := client.SubmitBlock(t.Context(), raw); answer != "" || err != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	b.awaitTip(own)
	b.agreed(own, b.mineFor(signetAddress+".rig"))
}

// A block of ours that the node knows and does not want any more, for a chain
// that is lower, was displaced: that is no reason to wait.
func TestPublicChainThatIsLowerIsFollowed(t *testing.T) {
	b := newPublicBench(t)
	b.node.Mine(1)
	own := b.mineFor(signetAddress + ".rig")
	b.awaitState(own, ledger.StateAccepted)
	b.awaitCursor(2)
	b.node.Invalidate(own)
	b.awaitState(own, ledger.StateOrphaned)
	b.agreed(b.mineFor(signetAddress + ".rig"))
}

// The node has forgotten our blocks and has a stranger's at the height of the
// lower one: it gets that one too, else it could not take the higher one.
func TestParentsAreGivenBackAsWell(t *testing.T) {
	b := newPublicBench(t)
	b.node.Mine(1)
	base := b.tip()
	own := []chainhash.Hash{b.mineFor(signetAddress + ".rig"), b.mineFor(signetAddress + ".rig")}
	b.awaitState(own[1], ledger.StateAccepted)
	b.stop()
	b.node.Forget(2)
	b.node.Fork(base, 1)
	b.start()
	b.awaitTip(own[1])
	b.agreed(own...)
	b.agreed(b.mineFor(signetAddress + ".rig"))
}
