package pool

import (
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/receipt"
)

// Every block that the pool finds has a receipt that anybody can follow from the
// accepted shares to the satoshis, whatever happens to the block later.
func TestReceiptOfEachBlock(t *testing.T) {
	b := newBench(t)
	for range 3 {
		hash := b.mine()
		b.awaitState(hash, ledger.StateAccepted)

		block, err := b.ledger.Block(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		window, err := b.ledger.Window(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.New("regtest", block, window)
		if err != nil {
			t.Fatal(err)
		}
		file, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if r, err = receipt.Parse(file); err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(); err != nil || !r.Traced() {
			t.Errorf("receipt of block %d: %v, traced %v\n%s", block.Height, err, r.Traced(), file)
		}
	}
}
