package payout

import (
	"database/sql"
	"strings"
	"testing"
)

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

// TestReadingWallet: nothing is judged by a wallet that has yet to read the chain. It
// neither misses the coins that it has not found, nor hides for good what it paid before
// it was restored: once it has read the chain, all of it is looked at again.
func TestReadingWallet(t *testing.T) {
	b := newBox(t, fullLedger(t))
	earn(t, b.ledger, 77, 100*reward) // which the wallet does not have
	txid := b.thief()                 // or a payout that a newer ledger made
	paid := b.wallet.txs[txid]
	delete(b.wallet.txs, txid)

	b.wallet.scans = true
	for range 3 {
		b.wallet.mine(1, 0)
		if err := b.desk.Advance(t.Context()); err == nil || !strings.Contains(err.Error(), "still reads the chain") {
			t.Fatalf("a pass over payouts: %v", err)
		}
	}
	for name, do := range map[string]func() error{
		"lift":    func() error { return b.desk.Lift(t.Context(), Lift{Reason: "all is well", Actor: "anna", Freezes: 1}) },
		"surplus": func() error { return b.desk.BookSurplus(t.Context(), Lift{Reason: "all is well", Actor: "anna"}) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "still reads the chain") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen while the wallet reads: %s", reason)
	}

	b.wallet.txs[txid] = paid // it has found it in the chain
	b.wallet.scans = false
	b.must(b.db.Update(t.Context(), func(tx *sql.Tx) error { return LookAgain(t.Context(), tx) }))
	b.advance()
	all, err := b.desk.Freezes(t.Context())
	b.must(err)
	if len(all) != 1 || all[0].TxID == nil || *all[0].TxID != txid {
		t.Errorf("freezes %+v", all)
	}
}
