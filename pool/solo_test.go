package pool

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Where each block pays its miner alone, work waits for no wallet; a fee or a
// donation does, since it has to be paid to somebody.
func TestSoloNeedsNoWallet(t *testing.T) {
	newBench(t).soloWithoutWallet(t)
}

func TestRealNodeSoloNeedsNoWallet(t *testing.T) {
	b, client := newRealBench(t)
	b.start()
	t.Cleanup(func() { b.stop() })
	b.agree(client, b.soloWithoutWallet(t))
}

// soloWithoutWallet returns the block that was found meanwhile.
func (b *bench) soloWithoutWallet(t *testing.T) (solo chainhash.Hash) {
	t.Helper()
	own := *b.pool.script.Swap(nil)
	alice := addressOf(t, 1)
	for _, part := range []struct {
		what string
		set  func(*Settings)
	}{
		{"fee", func(s *Settings) { s.Settlement, s.FeeBps = ledger.SettlementSolo, 100 }},
		{"donation", func(s *Settings) { s.FeeBps, s.DonationBps = 0, 100 }},
	} {
		s := b.pool.CurrentSettings()
		part.set(&s)
		if err := b.pool.Apply(s); err != nil {
			t.Fatal(err)
		}
		b.eventually("mining waits for who gets the "+part.what, func() bool {
			now := b.pool.Status()
			return !now.Serving && strings.Contains(now.Reason, "fee and donation")
		})
	}

	b.settle(func(s *Settings) { s.DonationBps = 0 }, ledger.SettlementSolo)
	b.eventually("mining goes on", func() bool { return b.pool.Status().Serving })
	for _, out := range b.pool.serving.Load().job.Layout.Outputs {
		if got := payee(out.Script, &chaincfg.RegressionNetParams); got != "" {
			t.Errorf("the job that nobody gets pays %s", got)
		}
	}
	hash := b.mineFor(alice + ".rig")
	b.awaitState(hash, ledger.StateAccepted)
	block, err := b.ledger.Block(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{alice: block.Value}, b.paid(hash)); diff != "" {
		t.Errorf("the coinbase pays (-want +got):\n%s", diff)
	}
	if got := b.sums(); got != (ledger.Sums{}) {
		t.Errorf("the wallet is to hold %+v of a block that paid it nothing", got)
	}

	b.pool.SetScript(own)
	b.settle(func(s *Settings) { s.Settlement = ledger.SettlementLedger }, ledger.SettlementLedger)
	b.awaitState(b.mineFor(alice+".rig"), ledger.StateAccepted)
	if got := b.sums(); got.Immature == 0 {
		t.Errorf("with a wallet again: %+v", got)
	}
	return hash
}
