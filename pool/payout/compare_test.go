package payout

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// agree advances twice, so that what is missing would be seen on two looks, and
// makes sure that books and wallet agree but for a surplus.
func (b *box) agree(when string, surplus int64) {
	b.t.Helper()
	b.advance()
	b.advance()
	c, ok := b.desk.Compared()
	if reason, frozen := b.desk.Frozen(b.t.Context()); !ok || frozen || c.Missing() != 0 || c.Surplus() != surplus {
		b.t.Errorf("%s: %+v (missing %d, surplus %d, want %d), %q", when, c, c.Missing(), c.Surplus(), surplus, reason)
	}
}

// TestBitcoindBooksAgree follows a payout, a deposit, a reward and their
// reorganisations on a real node: at no moment are coins missing.
func TestBitcoindBooksAgree(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	r.policy.MaxItems = 1
	r.agree("at the start", 0)

	p := r.draft()
	r.agree("planned", 0)
	r.approve(r.want(p.ID, Pending, ""))
	r.advance()
	r.want(p.ID, Broadcast, "")
	if c := r.look(); c.Missing() != 0 || c.Surplus() != 0 || c.OnTheWay <= p.Total {
		t.Errorf("unconfirmed change: %+v", c)
	}
	r.mine(1)
	r.agree("confirmed", 0)
	first := r.want(p.ID, Confirmed, "")
	r.mine(2)
	r.agree("settled", 0)
	r.want(p.ID, Settled, "")

	var none any
	if err := r.node.Call(ctx, "invalidateblock", &none, first.BlockHash.String()); err != nil {
		t.Fatal(err)
	}
	if c := r.look(); c.Missing() != 0 || c.Surplus() != 0 { // the tracker has not seen it
		t.Errorf("a settled payout is out of the chain: %+v", c)
	}
	r.agree("taken back", 0)
	r.want(p.ID, Broadcast, "")
	r.node.generate(4, addressOf(t, script(502))) // the same blocks again would be refused
	r.agree("settled again", 0)
	r.want(p.ID, Settled, "")

	// A reward: in the wallet before it is in the books, orphaned in the wallet
	// before it is in the books.
	own, err := r.node.NewAddress(ctx, "reward")
	if err != nil {
		t.Fatal(err)
	}
	r.node.generate(1, own)
	r.agree("a reward that is not booked", 50e8)
	tip := r.begun().chain
	earnBlock(t, r.ledger, tip.BestBlockHash, tip.Blocks, 50e8, 1)
	r.mine(1)
	r.agree("an immature reward", 0)
	if err := r.node.Call(ctx, "invalidateblock", &none, tip.BestBlockHash.String()); err != nil {
		t.Fatal(err)
	}
	r.node.generate(3, addressOf(t, script(501)))
	r.agree("an immature reward that is orphaned", 0)
	if c, _ := r.desk.Compared(); c.OnTheWay != 50e8 {
		t.Errorf("the orphaned reward is not what explains it: %+v", c)
	}
	_, err = r.ledger.Observe(ctx, tip.BestBlockHash, ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	if err != nil {
		t.Fatal(err)
	}
	r.mine(1)
	r.agree("the orphan is booked", 0)
	if c, _ := r.desk.Compared(); c.OnTheWay != 0 {
		t.Errorf("nothing is left to explain: %+v", c)
	}

	// A deposit is nobody's loss.
	r.deposit()
	r.mine(1)
	r.agree("a deposit", depositSats)
	alone := Lift{Reason: "my own coins", Actor: "ann", Operators: 1}
	if err := r.desk.BookSurplus(ctx, r.seen(alone)); err != nil {
		t.Fatal(err)
	}
	r.mine(1)
	r.agree("the deposit is booked", 0)
	if err := r.desk.BookSurplus(ctx, alone); !errors.Is(err, errNoSurplus) {
		t.Errorf("booking a surplus that is none: %v", err)
	}
	sums, err := r.ledger.Sums(ctx)
	if err != nil || sums.Reserve != depositSats {
		t.Errorf("books %+v, %v", sums, err)
	}
}

// look compares books and wallet between two passes, once the wallet has followed
// the chain to its tip.
func (r realBox) look() Comparison {
	r.t.Helper()
	for {
		c, ok, err := r.desk.compare(r.t.Context(), r.begun())
		if err != nil {
			r.t.Fatal(err)
		}
		if ok {
			return c
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// exact is look where nothing may be missing or too much.
func (r realBox) exact(when string) {
	r.t.Helper()
	if c := r.look(); c.Missing() != 0 || c.Surplus() != 0 {
		r.t.Errorf("%s: %+v (missing %d, surplus %d)", when, c, c.Missing(), c.Surplus())
	}
}

// TestBitcoindBooksAgreeWhenStuck follows payouts that are replaced, sponsored and
// cancelled: however many transactions spend the same coins, they are gone once.
func TestBitcoindBooksAgreeWhenStuck(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	r.policy.MaxItems = 1

	bumped := r.onTheWay()
	r.must(r.desk.Bump(ctx, changeOf(bumped, "20")))
	r.advance()
	r.exact("replaced")
	r.mine(1)
	r.exact("the new one is in a block, and nobody has seen it")
	r.advance()
	r.exact("it is seen")
	r.mine(2)
	r.advance()
	r.want(bumped.ID, Settled, "")
	r.exact("settled")

	sponsored := r.onTheWay()
	r.must(r.desk.Sponsor(ctx, changeOf(r.get(sponsored.ID), "30")))
	r.advance()
	if len(r.get(sponsored.ID).Sponsors) != 1 {
		t.Fatal("there is no sponsor")
	}
	if c := r.look(); c.Missing() != 0 {
		t.Errorf("parent and child are on their way: %+v, missing %d", c, c.Missing())
	}
	r.mineOnly(r.get(sponsored.ID).Raw)
	r.exact("the parent is in a block, the child is not")
	r.mine(1)
	r.exact("both are")
	r.mine(2)
	r.advance()
	r.want(sponsored.ID, Settled, "")
	r.mine(3)
	r.advance()
	r.exact("both are booked")

	cancelled := r.onTheWay()
	r.must(r.desk.CancelSent(ctx, changeOf(cancelled, "20")))
	r.advance()
	r.exact("cancelling")
	r.mine(1)
	r.exact("the coins are back, and nobody has seen it")
	r.mine(undoneDepth)
	r.advance()
	r.want(cancelled.ID, Cancelled, "")
	r.exact("cancelled")
	r.agree("at the end", 0)
}

const depositSats = 123_456_789

// deposit sends coins to the wallet from another one.
func (r realBox) deposit() {
	r.t.Helper()
	ctx := r.t.Context()
	other := r.node.ForWallet("other")
	if err := other.CreateWallet(ctx, "other", passphrase); err != nil {
		r.t.Fatal(err)
	}
	theirs, err := other.NewAddress(ctx, "")
	if err != nil {
		r.t.Fatal(err)
	}
	r.node.generate(1, theirs)
	r.mine(100)
	own, err := r.node.NewAddress(ctx, "deposit")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := other.Unlock(ctx, passphrase, unlockFor); err != nil {
		r.t.Fatal(err)
	}
	var txid chainhash.Hash
	err = other.WalletCall(ctx, "sendtoaddress", &txid, node.Named{"address": own, "amount": node.Sats(depositSats), "fee_rate": 5})
	if err != nil {
		r.t.Fatal(err)
	}
}

// begun is the beginning of a pass, as Advance makes it, without what follows.
func (r realBox) begun() pass {
	r.t.Helper()
	chain, err := r.node.BlockchainInfo(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}

	return pass{chain: chain}
}

// TestBitcoindBooksAgreeWhileMining: blocks come all the time, with and without a
// reward for the pool, and payouts are made meanwhile.
func TestBitcoindBooksAgreeWhileMining(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	r.policy.MaxItems = 1
	own, err := r.node.NewAddress(ctx, "reward")
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			address := addressOf(t, script(int64(1000+n)))
			if n%3 == 0 {
				address = own
			}
			if err := r.node.Call(ctx, "generatetoaddress", nil, 1, address); err != nil {
				t.Error(err)
				return
			}
			chain, err := r.node.BlockchainInfo(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if n%3 == 0 {
				earnBlock(t, r.ledger, chain.BestBlockHash, chain.Blocks, 50e8, 1)
			}
			if n%7 == 0 {
				var none any
				if err := r.node.Call(ctx, "invalidateblock", &none, chain.BestBlockHash.String()); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})

	for settled := 0; settled < miners && !t.Failed(); {
		if _, err := r.desk.Draft(ctx, DraftRequest{Actor: "ann", IdemKey: t.Name() + string(rune('a'+settled))}); err != nil && !errors.Is(err, ErrNothingDue) {
			t.Fatal(err)
		}
		if err := r.desk.Advance(ctx); err != nil {
			t.Fatal(err)
		}
		if reason, frozen := r.desk.Frozen(ctx); frozen {
			c, _ := r.desk.Compared()
			t.Fatalf("frozen: %s %+v", reason, c)
		}
		pending, err := r.desk.List(ctx, Pending)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pending {
			r.approve(p)
		}
		all, err := r.desk.List(ctx, Settled)
		if err != nil {
			t.Fatal(err)
		}
		settled = len(all)
	}
	close(done)
	wg.Wait()
}

// TestBitcoindMissingCoins: the wallet has less than the books say.
func TestBitcoindMissingCoins(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	r.agree("at the start", 0)
	tip := r.begun().chain // a block of the chain whose reward this wallet never had
	earnBlock(t, r.ledger, tip.BestBlockHash, tip.Blocks, 7e8, 1)
	r.mine(1)
	r.advance()
	if _, frozen := r.desk.Frozen(ctx); frozen {
		t.Error("frozen after one look")
	}
	r.advance()
	if reason, frozen := r.desk.Frozen(ctx); !frozen || !strings.Contains(reason, "700000000 sats less") {
		t.Errorf("Frozen = %q, %v", reason, frozen)
	}
	r.sitDown()
	r.advance()
	if _, frozen := r.desk.Frozen(ctx); !frozen {
		t.Error("a new start thaws")
	}

	if err := r.desk.Lift(ctx, r.seen(Lift{Reason: "an old wallet", Actor: "ann", Operators: 1})); err != nil {
		t.Fatal(err)
	}
	r.agree("lifted", 0)
	sums, err := r.ledger.Sums(ctx)
	if err != nil || sums.Reserve != -7e8 || sums.Shortfall() == 0 {
		t.Errorf("books %+v, %v", sums, err)
	}
	if err := r.desk.CheckBooks(ctx); err != nil {
		t.Error(err)
	}
}
