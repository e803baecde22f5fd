package pool

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/receipt"
)

// receipt returns the receipt of a block, as a miner gets it, and checks it as a
// miner does.
func (b *bench) receipt(hash chainhash.Hash) receipt.Receipt {
	b.t.Helper()
	ctx := context.Background()
	block, err := b.ledger.Block(ctx, hash)
	if err != nil {
		b.t.Fatal(err)
	}
	window, err := b.ledger.Window(ctx, hash)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := receipt.New("regtest", block, window)
	if err != nil {
		b.t.Fatal(err)
	}
	file, err := r.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	if r, err = receipt.Parse(file); err != nil {
		b.t.Fatal(err)
	}
	if err := r.Verify(); err != nil {
		b.t.Errorf("receipt of block %d: %v\n%s", block.Height, err, file)
	}
	return r
}

// Every block of every test here has a receipt that holds (awaitState asks for
// it). Where the ledger settles it goes back to the accepted shares; where the
// coinbase does, to its outputs.
func TestReceipts(t *testing.T) {
	b := newBench(t)
	hash := b.mine()
	b.awaitState(hash, ledger.StateAccepted)
	if r := b.receipt(hash); !r.Traced() || r.Accounts[0].Shares[0] != 1 || r.Accounts[0].Paid != 0 {
		t.Errorf("receipt of a block that the ledger settles: %+v", r)
	}

	b.settle(b.solo, ledger.SettlementSolo)
	hash = b.mineFor(addressOf(t, 1) + ".rig")
	b.awaitState(hash, ledger.StateAccepted)
	if r := b.receipt(hash); r.Traced() || len(r.Accounts) != 1 || r.Accounts[0].Paid != r.Accounts[0].Credit {
		t.Errorf("receipt of a solo block: %+v", r)
	}
}
