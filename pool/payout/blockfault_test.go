package payout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// tip asks the node for its chain.
func (r realBox) tip() node.ChainInfo {
	r.t.Helper()
	info, err := r.node.BlockchainInfo(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}

	return info
}

// observe tells the ledger what became of a block.
func (b *box) observe(hash chainhash.Hash, confirmations int32) {
	b.t.Helper()
	_, err := b.ledger.Observe(b.t.Context(), hash, ledger.Observation{Known: true, Confirmations: confirmations, Maturity: 101})
	if err != nil {
		b.t.Fatal(err)
	}
}

// theft signs, with the wallet's own keys, a transaction that takes the coins of
// a payout elsewhere.
func (r realBox) theft(p Payout) []byte {
	r.t.Helper()
	ctx := r.t.Context()
	plan, err := p.approved()
	if err != nil {
		r.t.Fatal(err)
	}
	plan, text, err := plan.undone(p.PSBT, script(666))
	if err == nil {
		_, text, err = plan.raised(text, 100_000)
	}
	if err == nil {
		err = r.node.Unlock(ctx, passphrase, time.Minute)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	signed, _, err := r.node.ProcessPSBT(ctx, text)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, complete, err := r.node.FinalizePSBT(ctx, signed)
	if err != nil || !complete {
		r.t.Fatalf("sign theft: %v, complete %v", err, complete)
	}
	r.must(r.node.Lock(ctx))

	return raw
}

// TestFault11NodeRolledBack: the node knows less of the chain than the ledger.
// What it says then counts for nothing.
func TestFault11NodeRolledBack(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.mine(1)
	r.advance()
	p = r.want(p.ID, Confirmed, "")
	r.mine(1)
	tip := r.tip()
	r.must(r.ledger.SetCursor(t.Context(), tip.Blocks, tip.BestBlockHash))

	r.invalidate(*p.BlockHash)
	if err := r.desk.Advance(t.Context()); err == nil || !strings.Contains(err.Error(), "catch up") {
		t.Errorf("Advance with a node that is behind: %v", err)
	}
	r.want(p.ID, Confirmed, "")
	if err := r.desk.Bump(t.Context(), changeOf(p, "9")); err == nil {
		t.Error("a change with a node that is behind: no error")
	}

	var none any
	r.must(r.node.Call(t.Context(), "reconsiderblock", &none, p.BlockHash.String()))
	r.mine(1)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// TestFault29DoubleSpend: somebody else has the keys. All stops, and nothing is
// released before a person has lifted the freeze and given the payout up.
func TestFault29DoubleSpend(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	theft := r.theft(p)
	r.mineOnly(theft)
	r.advance()
	stolen := r.want(p.ID, Broadcast, "Another transaction, confirmed 1 times, has spent a coin")
	reason, frozen := r.desk.Frozen(t.Context())
	if !frozen {
		t.Fatal("payouts are not frozen")
	}
	if stolen.Can.GiveUpDead {
		t.Error("the payout can be given up after one block")
	}

	r.mine(5)
	r.advance()
	dead := r.want(p.ID, Broadcast, "confirmed 6 times")
	if sums := r.sums(); sums.Reserved != p.Total || !dead.Can.GiveUpDead || dead.Can.Bump || dead.Can.CancelSent {
		t.Errorf("after six blocks: %+v, can %+v", sums, dead.Can)
	}
	if err := r.desk.GiveUpDead(t.Context(), changeOf(dead, "")); !errors.Is(err, ErrFrozen) {
		t.Errorf("GiveUpDead while frozen: %v, want ErrFrozen", err)
	}

	person := Lift{Reason: "the seed was copied", Actor: "ann", Operators: 1}
	r.must(r.desk.Lift(t.Context(), r.seen(person)))
	r.recordedWith("payout.give-up "+ref(p.ID)+" ann 192.0.2.1", func() error { return r.desk.GiveUpDead(t.Context(), changeOf(r.get(p.ID), "")) })
	r.advance()
	r.want(p.ID, Failed, "")
	if sums := r.sums(); sums.Reserved != 0 || sums.Payable != p.Total {
		t.Errorf("given up: %+v", sums)
	}

	// Its coins come back, and so does the payout.
	hash, err := chainhash.NewHashFromStr(strings.Fields(reason)[1])
	if err != nil {
		t.Fatal(err)
	}
	tx, err := r.node.WalletTx(t.Context(), *hash)
	if err != nil {
		t.Fatal(err)
	}
	r.invalidate(*tx.BlockHash)
	r.mineOnly(p.Raw)
	r.mine(7)
	r.advance()
	r.want(p.ID, Settled, "")
	r.must(r.desk.BookSurplus(t.Context(), r.seen(person))) // what the lift has booked as lost
	r.checkAgree()
}

// TestFault29NotDead: nobody gives up what can still confirm.
func TestFault29NotDead(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	if err := r.desk.GiveUpDead(t.Context(), changeOf(p, "")); !errors.Is(err, ErrStale) {
		t.Errorf("GiveUpDead of a payout in the mempool: %v, want ErrStale", err)
	}
	r.must(r.desk.markDead(t.Context(), p)) // as if it had looked dead
	err := r.desk.GiveUpDead(t.Context(), changeOf(r.get(p.ID), ""))
	if text, refused := Sentence(err); !refused || !strings.Contains(text, "can still confirm") {
		t.Errorf("GiveUpDead of a payout in the mempool: %v", err)
	}
	r.advance()
	r.wantFates(p.ID, "pay broadcast")
}

// TestFault30UnknownSend spends the wallet's money behind the ledger's back.
func TestFault30UnknownSend(t *testing.T) {
	r := newRealBox(t)
	r.advance()
	if err := r.node.Unlock(t.Context(), passphrase, time.Minute); err != nil {
		t.Fatal(err)
	}
	var txid chainhash.Hash
	if err := r.node.WalletCall(t.Context(), "sendtoaddress", &txid, node.Named{
		"address": stranger(t), "amount": "1.00000000", "fee_rate": 5,
	}); err != nil {
		t.Fatal(err)
	}
	r.advance()
	reason, frozen := r.desk.Frozen(t.Context())
	if want := fmt.Sprintf("Transaction %v has spent", txid); !frozen || reason[:len(want)] != want {
		t.Errorf("Frozen = %q, %v", reason, frozen)
	}
}

// TestFault31Reorg takes the block of a settled payout out of the chain, and
// the node forgets the transaction as well.
func TestFault31Reorg(t *testing.T) {
	r := newRealBox(t)
	r.policy.MaxItems = 1
	first := r.draft()
	r.advance()
	r.approve(r.get(first.ID))
	r.advance()
	r.mine(3)
	r.advance()
	first = r.want(first.ID, Settled, "")
	r.checkAgree()

	r.invalidate(*first.BlockHash)
	r.advance()
	r.want(first.ID, Broadcast, "")

	// Another payout meanwhile: it must not touch the coins of the first.
	second := r.draft()
	r.advance()
	r.approve(r.want(second.ID, Pending, ""))
	r.advance()
	r.want(second.ID, Broadcast, "")

	r.mine(4)
	r.advance()
	again := r.want(first.ID, Settled, "")
	if *again.TxID != *first.TxID || *again.BlockHash == *first.BlockHash {
		t.Errorf("settled by %v in %v, before by %v in %v", again.TxID, again.BlockHash, first.TxID, first.BlockHash)
	}
	r.want(second.ID, Settled, "")
	r.checkAgree()
}

// rewardsGone sends a payout and then takes all blocks away in which its money was
// earned; dead is what it is after that.
func (r realBox) rewardsGone() (sent, dead Payout) {
	r.t.Helper()
	var rewards []chainhash.Hash
	for n := range int32(10) {
		hash, err := r.node.BlockHash(r.t.Context(), n+1)
		r.must(err)
		rewards = append(rewards, hash)
	}
	sent = r.onTheWay()
	height := r.tip().Blocks
	r.invalidate(rewards[0])
	r.mine(int(height) + 1)
	for _, hash := range rewards {
		r.observe(hash, -1)
	}
	r.advance()
	return sent, r.want(sent.ID, Broadcast, "no longer in the chain")
}

// TestFault33CoinbaseOrphaned: a reorganisation of more than a hundred blocks takes
// away the rewards that a payout spends.
func TestFault33CoinbaseOrphaned(t *testing.T) {
	r := newRealBox(t)
	p, dead := r.rewardsGone()
	if sums := r.sums(); !dead.Can.GiveUpDead || sums.Reserved != p.Total || sums.Payable != -p.Total {
		t.Errorf("can %+v, %+v", dead.Can, sums)
	}

	r.must(r.desk.GiveUpDead(t.Context(), changeOf(dead, "")))
	r.advance()
	r.want(p.ID, Failed, "")
	if sums := r.sums(); sums != (ledger.Sums{}) {
		t.Errorf("the books of a pool without a block: %+v", sums)
	}
	r.must(r.ledger.Check(t.Context()))
}

// TestFault36OrphanAfterPayout: a miner who was paid for a block that is gone owes
// that to the pool, and works it off.
func TestFault36OrphanAfterPayout(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.settled()
	b.observe(chainhash.HashH(fmt.Append(nil, 1)), -1)
	credit := p.Total / blocks
	if sums := b.sums(); sums.Payable != -credit || sums.Debt != credit || sums.Shortfall() == 0 {
		t.Errorf("after the orphan: %+v, want a debt of %d", sums, credit)
	}
	if err := b.ledger.Check(t.Context()); err == nil || !strings.Contains(err.Error(), ledger.InvariantCovered) {
		t.Errorf("Check = %v, want an alarm because the pool paid what it does not have", err)
	}

	earn(t, b.ledger, 50, 3*reward)
	if sums := b.sums(); sums.Payable != 2*credit || sums.Debt != 0 {
		t.Errorf("after the next block: %+v, want %d payable", sums, 2*credit)
	}
	next := b.draft()
	if next.Total != 2*credit {
		t.Errorf("the next payout pays %d sats, want %d", next.Total, 2*credit)
	}
	b.checkBooks()
}
