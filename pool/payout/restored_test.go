package payout

import "testing"

// TestRestoredWallet: a wallet that was restored, and does not find its old
// transactions because the node has pruned their blocks, says that it knows no
// payout. What is in a block stays booked, and nothing is missing.
func TestRestoredWallet(t *testing.T) {
	for name, blocks := range map[string]int{"confirmed": 1, "settled": 3} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, fullLedger(t))
			p := b.sent()
			b.wallet.mine(blocks, 0)
			b.advance()
			was := b.get(p.ID)
			before, err := b.desk.unbooked(t.Context())
			b.must(err)
			delete(b.wallet.txs, *p.TxID)

			b.advance()
			if is := b.want(p.ID, was.State, ""); is.Rev != was.Rev || is.Height != was.Height {
				t.Errorf("revision %d at height %d, was %d at %d", is.Rev, is.Height, was.Rev, was.Height)
			}
			if after, err := b.desk.unbooked(t.Context()); err != nil || after != before {
				t.Errorf("unbooked %d sats, %v, before %d", after, err, before)
			}

			b.wallet.mine(3, 0)
			b.advance()
			b.want(p.ID, Settled, "")
			b.wallet.reorg(6, false) // now the block is gone, and so is the payment
			b.wallet.mine(3, 0)
			b.advance()
			b.want(p.ID, Broadcast, "")
		})
	}
}
