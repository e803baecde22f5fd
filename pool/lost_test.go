package pool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// unwatched is more blocks than a mature one is looked at for.
const unwatched = 225

// books is what miners are owed, and what the wallet should have.
func (b *bench) books() (balances []ledger.Balance, sums ledger.Sums) {
	b.t.Helper()
	sums = b.sums()
	balances, err := b.ledger.Balances(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return balances, sums
}

// settled waits until the chain was followed to the tip, on which the last of our
// blocks is.
func (b *bench) settled(last chainhash.Hash, height int32) {
	b.t.Helper()
	b.awaitState(last, ledger.StateAccepted)
	b.awaitCursor(height)
	if err := b.pool.CheckBlocks(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// dropBytes leaves of all mature blocks what is left when they lie deep.
func (b *bench) dropBytes() {
	b.t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(b.dir, "ledger.db"), ledger.Schema)
	if err != nil {
		b.t.Fatal(err)
	}
	l := ledger.New(db)
	height, hash, _, err := l.Cursor(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	err = l.SetCursor(ctx, height+1200, hash)
	if err == nil {
		_, err = l.DropRaw(ctx, testMaturity, func([]byte) (ledger.Proof, error) {
			return ledger.Proof{Header: make([]byte, 80), Coinbase: []byte{1}}, nil
		})
	}
	if err := errors.Join(err, l.SetCursor(ctx, height, hash), db.Close()); err != nil {
		b.t.Fatal(err)
	}
}

// goesOn sees that miners find blocks on what is left of a chain that is lost, and
// that the money of the lost blocks is where it was.
func (b *bench) goesOn(balances []ledger.Balance, sums ledger.Sums) {
	b.t.Helper()
	b.eventually("the pool gives work", func() bool { return b.pool.Status().Serving })
	tip := b.tip()
	if err := b.pool.CheckBlocks(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	if nowBalances, now := b.books(); now != sums || !cmp.Equal(nowBalances, balances) {
		b.t.Errorf("money moved:\n%s", cmp.Diff(sums, now))
	}
	if b.tip() != tip {
		b.t.Error("the tip moved")
	}
	fresh := []chainhash.Hash{b.mine(), b.mine(), b.mine()}
	b.agreed(fresh...)
	if now := b.sums(); now.Owed() != sums.Owed()+3*subsidy || now.Payable != sums.Payable {
		b.t.Errorf("with three blocks more: %+v, before %+v", now, sums)
	}
}

// A chain that only this box had, and of which our own copies are gone or stand on
// what is gone, is not waited for. Mining goes on from what the node has, and our
// blocks are not given to it again and again.
func TestPrivateChainLostForGood(t *testing.T) {
	for name, c := range map[string]struct {
		grow func(b *bench) (last chainhash.Hash)
		drop bool
	}{
		"the bytes are gone": {func(b *bench) (last chainhash.Hash) {
			for range unwatched {
				last = b.mine()
			}
			return last
		}, true},
		"a stranger's block is gone": {func(b *bench) chainhash.Hash {
			b.node.Mine(1)
			for range 3 {
				b.mine()
			}
			b.node.Mine(unwatched)
			return b.mine()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			last := c.grow(b)
			_, height := b.node.Tip()
			b.settled(last, height)
			balances, sums := b.books()
			b.stop()
			if c.drop {
				b.dropBytes()
			}
			b.node.Forget(int(height))
			b.start()
			b.goesOn(balances, sums)
			calls := b.node.Calls("submitblock")
			for range 3 {
				if err := b.pool.CheckBlocks(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if again := b.node.Calls("submitblock") - calls; again != 0 {
				t.Errorf("%d blocks were submitted again", again)
			}
			if block, err := b.ledger.Block(t.Context(), last); err != nil || block.State != ledger.StateUnknown || !block.Lost {
				t.Errorf("the last block is %s, lost: %v, %v", block.State, block.Lost, err)
			}
		})
	}
}

// What was lost for good is given to the node all the same once it has what is below.
func TestLostBlocksReturn(t *testing.T) {
	b := newBench(t)
	stranger := b.node.Block(b.node.Mine(1)[0])
	own := []chainhash.Hash{b.mine(), b.mine(), b.mine()}
	b.settled(own[2], 4)
	_, sums := b.books()
	b.stop()
	b.node.Forget(4)
	b.start()
	b.agreed(b.mine())
	client := node.New(b.rpc)
	defer client.CloseIdle()
	if answer, err := client.SubmitBlock(t.Context(), stranger); answer != "inconclusive" || err != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	if err := b.pool.CheckBlocks(t.Context()); err != nil {
		t.Error(err)
	}
	b.awaitTip(own[2])
	if err := b.pool.CheckBlocks(t.Context()); err != nil {
		t.Error(err)
	}
	b.agreed(own...)
	if now := b.sums(); now != sums {
		t.Errorf("%+v, want %+v", now, sums)
	}
	if block, err := b.ledger.Block(t.Context(), own[2]); err != nil || block.Lost {
		t.Errorf("lost: %v, %v", block.Lost, err)
	}
}

// The same with a real node whose directory was wiped.
func TestPrivateChainLostForGoodRealNode(t *testing.T) {
	b, client := newRealBench(t)
	b.start()
	t.Cleanup(func() { b.stop() })
	generate := func(count int) {
		t.Helper()
		if err := client.Call(t.Context(), "generatetoaddress", nil, count, addressOf(t, 9)); err != nil {
			t.Fatal(err)
		}
	}
	generate(1)
	for range 3 {
		b.mine()
	}
	generate(unwatched)
	b.settled(b.mine(), unwatched+5)
	balances, sums := b.books()
	b.stop()
	b.real.end()
	if err := os.RemoveAll(filepath.Join(b.real.dir, "regtest")); err != nil {
		t.Fatal(err)
	}
	b.real.start()
	b.start()
	b.goesOn(balances, sums)
}
