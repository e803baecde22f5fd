package pool

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
)

// The rows of money.md section 4 about found blocks. Rows 34 and 37 are in
// pool_test.go as well, row 41 in rejected_test.go.

// rival finds another block on the job of a share.
func rival(share stratum.Share, worker stratum.Worker) stratum.Share {
	other := share
	other.Worker, other.Solution.Time = worker, share.Solution.Time+1
	for other.Proof = other.Job.Prove(other.Solution); !other.Proof.Block; other.Proof = other.Job.Prove(other.Solution) {
		other.Solution.Nonce++
	}

	return other
}

// twoBlocks lets two miners find a block on the same job.
func (b *bench) twoBlocks() (first, second chainhash.Hash) {
	b.t.Helper()
	one := b.solveFor(addressOf(b.t, 1) + ".rig")
	worker, err := b.pool.Authorize(context.Background(), addressOf(b.t, 2)+".rig")
	if err != nil {
		b.t.Fatal(err)
	}
	two := rival(one, worker)
	b.finish(one)
	b.finish(two)

	return one.Proof.Hash, two.Proof.Hash
}

// Two blocks of the pool at one height: the one that the chain has is credited,
// and if the chain changes its mind, the other one is instead.
func TestFault40TwoBlocksAtOneHeight(t *testing.T) {
	b := newBench(t)
	first, second := b.twoBlocks()
	b.awaitState(first, ledger.StateAccepted)
	b.awaitState(second, ledger.StateStale)
	if s := b.sums(); s.Pending != subsidy || s.Immature != subsidy {
		t.Errorf("sums with two blocks at one height: %+v", s)
	}
	b.node.Fork(second, 1)
	b.awaitState(second, ledger.StateAccepted)
	b.awaitState(first, ledger.StateOrphaned)
	if s := b.sums(); s.Pending != subsidy || s.Immature != subsidy {
		t.Errorf("sums after the other one won: %+v", s)
	}
}

// The same with a real node, whose wallet agrees each time.
func TestFault40RealNode(t *testing.T) {
	b, client := newRealBench(t)
	b.start()
	t.Cleanup(func() { b.stop() })
	first, second := b.twoBlocks()
	b.awaitState(first, ledger.StateAccepted)
	b.awaitState(second, ledger.StateStale)
	b.agree(client, first)
	if block, err := b.ledger.Block(t.Context(), second); err != nil || block.SubmitResult != "inconclusive" {
		t.Errorf("the node said %q of the second block, %v", block.SubmitResult, err)
	}
	if err := client.Call(t.Context(), "preciousblock", new(any), second.String()); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "generatetoaddress", nil, 1, addressOf(t, 3)); err != nil {
		t.Fatal(err)
	}
	b.awaitState(second, ledger.StateAccepted)
	b.awaitState(first, ledger.StateOrphaned)
	b.agree(client, second)
	if s := b.sums(); s.Pending != subsidy {
		t.Errorf("sums after the other one won: %+v", s)
	}
}

// A real node takes our block out of its chain before it is mature: the credits
// are reversed, and the history of the account tells both.
func TestFault34RealNode(t *testing.T) {
	b, client := newRealBench(t)
	b.start()
	t.Cleanup(func() { b.stop() })
	address := addressOf(t, 1)
	hash := b.mineFor(address + ".rig")
	b.awaitState(hash, ledger.StateAccepted)
	b.agree(client, hash)
	if err := client.Call(t.Context(), "invalidateblock", new(any), hash.String()); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "generatetoaddress", nil, 2, addressOf(t, 3)); err != nil {
		t.Fatal(err)
	}
	b.awaitState(hash, ledger.StateOrphaned)
	b.agree(client)
	balance, known, err := b.ledger.BalanceOf(t.Context(), address)
	if err != nil || !known || balance.Pending != 0 {
		t.Errorf("balance after the orphan: %+v, %v, %v", balance, known, err)
	}
	events, err := b.ledger.Events(t.Context(), ledger.EventFilter{Account: balance.ID}, 10)
	if err != nil || len(events) != 2 || events[0].Kind != ledger.KindOrphan || events[1].Kind != ledger.KindCredit {
		t.Errorf("history of the account: %+v, %v, want a credit and its reversal", events, err)
	}
}

// fillLedger keeps the ledger's file from growing, as a full disk does, until
// the function that it returns is called.
func (b *bench) fillLedger() (mend func()) {
	b.t.Helper()
	limit := func(pragma string) {
		err := b.ledger.Update(context.Background(), func(tx *ledger.Tx) error {
			_, err := tx.ExecContext(context.Background(), pragma)
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	limit("PRAGMA max_page_count = 1") // which SQLite takes for what there is

	return func() { limit("PRAGMA max_page_count = 1000000") }
}

// The disk is full: the block goes to the node and to a file, and mining goes
// on. Once there is room the ledger gets it from memory, or at the next start from
// the file.
func TestFault46DiskFull(t *testing.T) {
	b := newBench(t)
	b.awaitState(b.mine(), ledger.StateAccepted)
	tx := wire.NewMsgTx(2) // makes the block larger than what the file has room for
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(0, bytes.Repeat([]byte{0x6a}, 50_000)))
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	b.node.AddTx(raw.Bytes(), 1000)
	b.node.Mine(1)
	share := b.solve("rig")
	if len(share.Job.Block(share.Solution)) < raw.Len() {
		t.Fatal("the transaction is not in the job")
	}
	files := func() []string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(b.dir, "*.block.json"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}

	mend := b.fillLedger()
	begun := time.Now()
	b.finish(share)
	if tip, _ := b.node.Tip(); tip != share.Proof.Hash {
		t.Errorf("%v after it was found the block is not the node's tip", time.Since(begun))
	}
	b.eventually("the block is in a file", func() bool { return len(files()) == 1 })
	if _, err := b.ledger.Block(t.Context(), share.Proof.Hash); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("the ledger has the block (%v), the disk was not full", err)
	}
	again := b.solve("rig") // a job on the new tip
	again.Proof.Block = false
	commit, err := b.pool.Accepted(t.Context(), again)
	if err == nil {
		err = commit.Wait(t.Context())
	}
	if err != nil {
		t.Errorf("a share while the disk is full: %v", err)
	}

	mend()
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	b.eventually("the file is gone", func() bool { return len(files()) == 0 })
	if s := b.sums(); s.Pending != 2*subsidy+1000 {
		t.Errorf("sums: %+v", s)
	}
}
