package pool

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// addressOf returns the address of the n-th miner.
func addressOf(t *testing.T, n byte) string {
	t.Helper()
	a, err := address.NewAddressWitnessPubKeyHash(bytes.Repeat([]byte{n}, 20), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	return a.EncodeAddress()
}

// settle changes the settings and waits for jobs that are settled so.
func (b *bench) settle(change func(*Settings), jobs string) {
	b.t.Helper()
	s := b.pool.CurrentSettings()
	change(&s)
	if err := b.pool.Apply(s); err != nil {
		b.t.Fatal(err)
	}
	b.settlement = jobs
	b.eventually("jobs settle by "+jobs, func() bool { return b.pool.serving.Load().settlement == jobs })
}

func (b *bench) direct(s *Settings) { s.Settlement = ledger.SettlementDirect }
func (b *bench) solo(s *Settings)   { s.Settlement, s.FeeBps = ledger.SettlementSolo, 100 }

// paid returns what the coinbase of a block pays by address, as the chain has it.
func (b *bench) paid(hash chainhash.Hash) map[string]int64 {
	b.t.Helper()
	block, err := b.ledger.Block(context.Background(), hash)
	if err != nil {
		b.t.Fatal(err)
	}
	var m wire.MsgBlock
	if err := m.Deserialize(bytes.NewReader(block.Raw)); err != nil {
		b.t.Fatal(err)
	}
	paid := map[string]int64{}
	for _, out := range m.Transactions[0].TxOut {
		if out.Value > 0 {
			paid[payee(out.PkScript, &chaincfg.RegressionNetParams)] += out.Value
		}
	}
	return paid
}

func TestSoloBlockPaysItsMiner(t *testing.T) {
	b := newBench(t)
	b.settle(b.solo, ledger.SettlementSolo)
	alice := addressOf(t, 1)
	hash := b.mineFor(alice + ".rig")
	b.awaitState(hash, ledger.StateAccepted)
	if got := b.pool.NextCoinbase(); got != nil {
		t.Errorf("everybody is told one coinbase of many: %+v", got)
	}

	const fee = subsidy / 100
	if diff := cmp.Diff(map[string]int64{alice: subsidy - fee, poolAddress: fee}, b.paid(hash)); diff != "" {
		t.Errorf("the coinbase pays (-want +got):\n%s", diff)
	}
	if got := b.sums(); got != (ledger.Sums{Immature: fee, Fee: fee}) {
		t.Errorf("sums %+v", got)
	}
	if got, _, err := b.ledger.BalanceOf(t.Context(), alice); err != nil || got.Paid != subsidy-fee || got.Pending != 0 {
		t.Errorf("alice has %+v, %v", got, err)
	}

	// Whoever mines to the pool's own address is owed what the wallet got.
	own := b.mine()
	b.awaitState(own, ledger.StateAccepted)
	if got := b.sums(); got.Immature != fee+subsidy || got.Pending != subsidy-fee || got.Fee != 2*fee {
		t.Errorf("sums with a block of the pool's own address %+v", got)
	}
}

func TestDirectBlockPaysTheWindow(t *testing.T) {
	b := newBench(t)
	b.settle(b.direct, ledger.SettlementLedger) // nobody has worked yet
	alice, bob := addressOf(t, 1), addressOf(t, 2)
	first := b.mineFor(alice + ".rig")
	b.awaitState(first, ledger.StateAccepted)
	if got := b.sums(); got.Pending != subsidy || got.Immature != subsidy {
		t.Errorf("sums of the first block %+v", got)
	}

	b.settlement = ledger.SettlementDirect
	second := b.mineFor(bob + ".rig") // alice has done all the work so far
	b.awaitState(second, ledger.StateAccepted)
	if diff := cmp.Diff(map[string]int64{alice: subsidy}, b.paid(second)); diff != "" {
		t.Errorf("the second coinbase pays (-want +got):\n%s", diff)
	}
	b.eventually("the window has both", func() bool { return len(b.pool.planOf(b.pool.serving.Load().job).Dues) == 2 })
	want := []Output{{subsidy / 2, alice, OfMiner}, {subsidy / 2, bob, OfMiner}}
	if diff := cmp.Diff(want, b.pool.NextCoinbase(), cmpopts.SortSlices(func(a, b Output) bool { return a.Address < b.Address })); diff != "" {
		t.Errorf("the next coinbase (-want +got):\n%s", diff)
	}
	third := b.mineFor(bob + ".rig")
	b.awaitState(third, ledger.StateAccepted)
	if diff := cmp.Diff(map[string]int64{alice: subsidy / 2, bob: subsidy / 2}, b.paid(third)); diff != "" {
		t.Errorf("the third coinbase pays (-want +got):\n%s", diff)
	}
	if got := b.sums(); got.Immature != subsidy || got.Pending != subsidy {
		t.Errorf("the wallet got more than the first block: %+v", got)
	}

	// A reorganisation takes the payments back and gives them again.
	b.node.Fork(first, 3)
	b.awaitState(third, ledger.StateOrphaned)
	b.awaitState(second, ledger.StateOrphaned)
	if got, _, err := b.ledger.BalanceOf(t.Context(), alice); err != nil || got.Paid != 0 {
		t.Errorf("alice after the reorganisation: %+v, %v", got, err)
	}
	b.sums()
	b.node.Fork(third, 5)
	b.awaitState(third, ledger.StateAccepted)
	if got, _, err := b.ledger.BalanceOf(t.Context(), alice); err != nil || got.Paid != subsidy/2+subsidy {
		t.Errorf("alice after it came back: %+v, %v", got, err)
	}
	b.sums()
}

// Miners for whom there is no room are owed their part, which the pool's output
// holds and a payout will send.
func TestDirectBlockCarriesWhatDoesNotFit(t *testing.T) {
	b := newBench(t)
	const miners = 20
	for n := range byte(miners) {
		b.awaitState(b.mineFor(addressOf(t, n+1)+".rig"), ledger.StateAccepted)
	}
	before := b.sums()
	b.settle(func(s *Settings) {
		s.Settlement, s.FeeBps, s.WindowMilli = ledger.SettlementDirect, 100, 100_000
	}, ledger.SettlementDirect)
	share := b.solveFor(addressOf(t, 1) + ".rig")
	b.finish(share)
	hash := share.Proof.Hash
	b.awaitState(hash, ledger.StateAccepted)

	block, err := b.ledger.Block(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	owed, paid := int64(0), 0
	for _, r := range block.Split {
		if r.Paid == 0 {
			owed += r.Amount
			continue
		}
		paid++
		if got := b.paid(hash)[r.Address]; got != r.Paid || got != r.Amount {
			t.Errorf("%s is due %d, booked as paid %d, and gets %d", r.Address, r.Amount, r.Paid, got)
		}
	}
	if size := share.Job.CoinbaseSize(); len(block.Split) != miners || paid < 16 || paid == miners || size > 700 {
		t.Errorf("%d of %d miners are paid, in %d bytes", paid, len(block.Split), size)
	}
	after := b.sums()
	more := func(sum func(ledger.Sums) int64) int64 { return sum(after) - sum(before) } // whatever matured meanwhile
	if fee := int64(subsidy / 100); after.Fee != fee || more(ledger.Sums.Owed) != owed ||
		more(func(s ledger.Sums) int64 { return s.Immature + s.Spendable }) != owed+fee || b.paid(hash)[poolAddress] != owed+fee || block.Paid != subsidy-owed-fee {
		t.Errorf("owed %d, sums before %+v, after %+v", owed, before, after)
	}

	b.node.Mine(testMaturity)
	b.awaitState(hash, ledger.StateMature)
	if got := b.sums(); got.Payable != miners*subsidy+owed || got.Spendable != got.Payable+got.Fee {
		t.Errorf("sums after maturity: %+v", got)
	}
}

// A change of the settings between job and solution changes nothing: neither
// the fee nor the mode of the job that was solved.
func TestBlockKeepsTheTermsOfItsJob(t *testing.T) {
	b := newBench(t)
	share := b.solve("rig")
	b.settle(func(s *Settings) { s.Settlement, s.FeeBps = ledger.SettlementSolo, 500 }, ledger.SettlementSolo)
	own := b.solveFor(addressOf(t, 1) + ".rig")
	b.settle(func(s *Settings) { s.Settlement, s.FeeBps = ledger.SettlementLedger, 900 }, ledger.SettlementLedger)

	b.finish(share)
	b.awaitState(share.Proof.Hash, ledger.StateAccepted)
	if got := b.sums(); got.Fee != 0 || got.Pending != subsidy {
		t.Errorf("sums of a job without a fee: %+v", got)
	}
	b.finish(own) // a stale sibling, which becomes the chain
	b.node.Fork(own.Proof.Hash, 2)
	b.awaitState(own.Proof.Hash, ledger.StateAccepted)
	block, err := b.ledger.Block(t.Context(), own.Proof.Hash)
	if err != nil || block.Terms.Settlement != ledger.SettlementSolo || block.Terms.FeeBps != 500 {
		t.Errorf("terms %+v, %v", block.Terms, err)
	}
	if got := b.sums(); got.Fee != subsidy/20 || got.Immature != subsidy/20 {
		t.Errorf("sums of the solo block: %+v", got)
	}
}

// finish lets the share of a block go the whole way.
func (b *bench) finish(share stratum.Share) {
	b.t.Helper()
	b.pool.Found(share)
	commit, err := b.pool.Accepted(b.t.Context(), share)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := commit.Wait(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// A layout that the node would refuse leaves no miner without work: the block
// pays the pool, everybody is credited in the ledger, and somebody is told why.
// The node is asked once for each list of payees.
func TestRefusedLayoutFallsBack(t *testing.T) {
	b := newBench(t)
	b.awaitState(b.mineFor(addressOf(t, 1)+".rig"), ledger.StateAccepted)
	refusal := "bad-blk-weight"
	b.opinion.refusal.Store(&refusal)
	events, cancel := b.events.Subscribe()
	defer cancel()
	b.settle(b.direct, ledger.SettlementLedger)
	for e := range events {
		if e.Kind != "settlement" {
			continue
		}
		if e.State != ledger.SettlementLedger || !strings.Contains(e.Text, refusal) {
			t.Errorf("event %+v", e)
		}
		break
	}
	if got := b.pool.Status(); got.Settlement != ledger.SettlementLedger || !strings.Contains(got.Fallback, refusal) {
		t.Errorf("status: %s because %q", got.Settlement, got.Fallback)
	}
	asked := b.opinion.asked.Load()
	b.pool.offerAgain()
	hash := b.mineFor(addressOf(t, 1) + ".rig")
	b.awaitState(hash, ledger.StateAccepted)
	if got := b.sums(); got.Pending != 2*subsidy || got.Immature != 2*subsidy {
		t.Errorf("sums %+v", got)
	}

	// Another template is another chance; then one opinion is enough.
	b.opinion.refusal.Store(nil)
	b.node.Mine(1)
	b.settlement = ledger.SettlementDirect
	for range 3 {
		b.awaitState(b.mineFor(addressOf(t, 1)+".rig"), ledger.StateAccepted)
	}
	if got := b.pool.Status(); got.Settlement != ledger.SettlementDirect || got.Fallback != "" {
		t.Errorf("status: %s because %q", got.Settlement, got.Fallback)
	}
	if again := b.opinion.asked.Load() - asked; again > 3 {
		t.Errorf("the node was asked %d times for one list of payees", again)
	}
}

// The witness of the payees believes neither the layout nor the plan alone.
func TestWitnessPayees(t *testing.T) {
	b := newBench(t)
	b.settle(b.solo, ledger.SettlementSolo)
	share := b.solveFor(addressOf(t, 1) + ".rig")
	good := b.pool.planOf(share.Job)
	if err := witnessPayees(share.Job, good, "regtest"); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*plan){
		"another address": func(pl *plan) { pl.Dues[0].Address = addressOf(t, 2) },
		"another amount":  func(pl *plan) { pl.Dues[0].Amount-- },
		"nobody":          func(pl *plan) { pl.Dues = nil },
		"another pool":    func(pl *plan) { pl.PoolScript = []byte{1} },
	} {
		pl := b.pool.planOf(share.Job)
		spoil(&pl)
		if err := witnessPayees(share.Job, pl, "regtest"); err == nil {
			t.Errorf("%s: the witness saw nothing", name)
		}
	}

	// A job that fails its check reaches nobody, and stops nobody else.
	if _, err := b.pool.serving.Load().layOut(share.Job, 1, stratum.Worker{Name: "x", Address: "nonsense", Script: []byte{0x51}}); err == nil {
		t.Error("a job for an address that its script does not pay was made")
	}
	b.eventually("somebody is told", func() bool {
		status := b.pool.Status()
		return status.FallbackAlarm && strings.Contains(status.Fallback, "was not sent") && status.Serving
	})
	b.pool.offerAgain()
	b.eventually("the next job is in order", func() bool { return b.pool.Status().Fallback == "" })
}

// BenchmarkSoloJob makes the job of one account on a new template.
func BenchmarkSoloJob(b *testing.B) {
	template := &work.Template{Height: 900_000, Version: 0x20000000, Bits: 0x17030000, CurTime: 1, CoinbaseValue: 312_500_000, Txs: make([]work.Tx, 3000)}
	var err error
	if template.Target, err = work.TargetFromBits(template.Bits); err != nil {
		b.Fatal(err)
	}
	p := &Pool{Config: Config{Network: "main"}}
	miner, script, err := ParseAddress("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "main")
	if err != nil {
		b.Fatal(err)
	}
	base, err := work.NewJob(template, work.Layout{Outputs: []work.Output{{Script: []byte{0x51}, Value: template.CoinbaseValue}}}, 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	s := DefaultSettings("main")
	s.Settlement, s.FeeBps = ledger.SettlementSolo, 100
	layOut := p.paySolo(s, []byte{0x52})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := layOut(base, 2, stratum.Worker{Address: miner, Script: script}); err != nil {
			b.Fatal(err)
		}
	}
}
