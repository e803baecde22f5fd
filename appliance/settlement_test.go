package appliance

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

// TestBoxPaysMinersItself lets a real miner find blocks on a real node whose
// coinbase pays it, first solo and then by its work: the wallet sees the fee alone.
func TestBoxPaysMinersItself(t *testing.T) {
	binary := realNode(t)
	dir := filepath.Join(t.TempDir(), "box")
	answers := `{"network":"regtest","operator":{"password":"` + goodPassword + `"},"pool":{"settlement":"solo","fee_bps":200}}`
	if err := SetUp(t.Context(), dir, parse(t, answers)); err != nil {
		t.Fatal(err)
	}
	b := startBox(t, dir, binary)
	b.mine()
	b.awaitBlock(ledger.SettlementSolo)

	settings := b.box.Settings()
	settings.Settlement = ledger.SettlementDirect
	if err := b.box.Pool().Apply(settings); err != nil {
		t.Fatal(err)
	}
	b.awaitBlock(ledger.SettlementDirect)
	b.rest()
	b.check()

	sums := b.sums()
	if sums.Owed() != 0 || sums.Fee == 0 || sums.Immature+sums.Spendable != sums.Fee {
		t.Errorf("the wallet holds more than the fee: %+v", sums)
	}
	b.stop()
}

// TestSoloBoxNeedsNoWallet mines on a box whose wallet is never made, because nobody
// draws its words: each block pays its miner.
func TestSoloBoxNeedsNoWallet(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	answers := `{"network":"regtest","operator":{"password":"` + goodPassword + `"},"wallet":{"words":true},"pool":{"settlement":"solo"}}`
	if err := SetUp(ctx, dir, parse(t, answers)); err != nil {
		t.Fatal(err)
	}
	b := startBox(t, dir, binary)
	b.mine()
	b.eventually("blocks are found", func() bool { return b.box.Pool().Status().Height > 3 })
	if w := b.wallet(); w.Loaded || w.Wanted || w.Paid || w.Words != WordsWanted {
		t.Errorf("the wallet: %+v", w)
	}
	if c := b.box.checkWalletHealth(ctx); c.Status != Healthy || !strings.Contains(c.Reason, "needs no wallet") {
		t.Errorf("health: %+v", c)
	}
	blocks, err := b.box.Ledger().Blocks(ctx, 3, 0)
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for _, block := range blocks {
		if block.State == ledger.StateAccepted && (block.Paid != block.Value || block.Value == 0) {
			t.Errorf("block %s is worth %d and pays %d", block.Hash, block.Value, block.Paid)
		}
	}

	settings := b.box.Settings()
	settings.FeeBps = 100
	if err := b.box.Pool().Apply(settings); err != nil {
		t.Fatal(err)
	}
	b.eventually("a fee waits for whom it is paid to", func() bool {
		return strings.Contains(b.box.Pool().Status().Reason, "fee and donation")
	})
	b.rest()
	b.stop()
}

// awaitBlock waits for a block of that settlement in the chain, which pays its
// finder all but the fee.
func (b *runningBox) awaitBlock(settlement string) {
	b.t.Helper()
	b.eventually("a block is settled by "+settlement, func() bool {
		blocks, err := b.box.Ledger().Blocks(context.Background(), 3, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, block := range blocks {
			if block.Terms.Settlement == settlement && block.State == ledger.StateAccepted {
				if block.Paid != block.Value-block.Fee || block.Fee == 0 {
					b.t.Errorf("block %s is worth %d, pays %d and leaves a fee of %d", block.Hash, block.Value, block.Paid, block.Fee)
				}
				return true
			}
		}
		return false
	})
}
