package payout

import (
	"context"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

// TestFaultAtEveryCall makes a payout from draft to settled again and again, and
// each time lets another fault happen at another call to the node, until no call
// is left. Every crash of our process is a new start from the disk; as no
// transaction of the database is open during a call, and every commit but the
// operator's own lies between two calls, that is a crash at every step. However
// it goes, each miner is paid exactly once and the books balance.
func TestFaultAtEveryCall(t *testing.T) {
	full := fullLedger(t)
	for f := unreachable; f <= killAfter; f++ {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				b := newBox(t, full)
				b.wallet.fault, b.wallet.faultAt = f, k
				b.persist()
				b.checkPaid()
				if t.Failed() {
					t.Fatalf("%v at call %d, %v", f, k, b.wallet.log[k-1])
				}
				if err := b.db.Close(); err != nil {
					t.Fatal(err)
				}
				if b.wallet.calls < k {
					if k < 20 {
						t.Errorf("only %d calls were made", k)
					}

					return
				}
			}
		})
	}
}

// TestFamilyFaultAtEveryCall does the same to a payout that a person then has
// replaced, and to one that a person has cancelled. However it goes, each miner is
// paid exactly once, or, when the cancellation is in the chain, not at all.
func TestFamilyFaultAtEveryCall(t *testing.T) {
	full := fullLedger(t)
	for _, f := range []fault{lostReply, crashBefore, crashAfter, killAfter} {
		for _, cancel := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, cancel %v", f, cancel), func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k++ {
					b := newBox(t, full)
					p := b.sent()
					b.wallet.calls = 0
					b.wallet.fault, b.wallet.faultAt = f, k
					b.persistChange(p, cancel)
					if t.Failed() {
						t.Fatalf("%v at call %d, %v", f, k, b.wallet.log[k-1])
					}
					b.must(b.db.Close())
					if b.wallet.calls < k {
						if k < 10 {
							t.Errorf("only %d calls were made", k)
						}

						return
					}
				}
			})
		}
	}
}

// persistChange has a payout changed by a person who does not give up, and takes
// it to its end.
func (b *box) persistChange(p Payout, cancel bool) {
	b.t.Helper()
	for range 30 {
		b.attemptChange(p.ID, cancel)
		if one := b.get(p.ID); len(one.Attempts) > 1 && one.Attempts[1].Fate == FateBroadcast {
			break
		}
	}
	for range 4 { // one of these calls can be the one that fails
		b.wallet.mine(3, 0)
		b.attemptChange(p.ID, cancel)
	}

	want := Settled
	if cancel {
		want = Cancelled
	}
	if got := b.get(p.ID).State; got != want {
		b.t.Fatalf("payout %d is %s, want %s", p.ID, got, want)
	}
	if !cancel {
		b.checkPaid()

		return
	}
	sums := b.sums()
	if sums.Payable != p.Total || sums.Reserved != 0 || sums.Spendable != b.wallet.balance() {
		b.t.Errorf("ledger says %+v, the wallet has %d sats", sums, b.wallet.balance())
	}
	for n := int64(1); n <= miners; n++ {
		if got := b.wallet.paidTo(script(n)); got != 0 {
			b.t.Errorf("miner %d got %d sats of a payout that was cancelled", n, got)
		}
	}
	b.checkBooks()
}

// attemptChange asks for the change if it is not on its way, and drives on. A
// crash starts the program again.
func (b *box) attemptChange(id int64, cancel bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
			b.reopen()
		}
	}()
	ctx := context.Background()

	if p := b.get(id); len(p.Attempts) == 1 {
		if cancel {
			_ = b.desk.CancelSent(ctx, changeOf(p, "9"))
		} else {
			_ = b.desk.Bump(ctx, changeOf(p, "9"))
		}
	}
	_ = b.desk.Advance(ctx)
}

// persist does what an operator and a scheduler do until the payout is settled,
// whatever happens to it on the way.
func (b *box) persist() {
	b.t.Helper()
	for range 30 {
		if b.attempt() {
			return
		}
	}
	payouts, err := b.desk.List(context.Background())
	b.t.Fatalf("the payout does not settle: %+v, %v", payouts, err)
}

// attempt makes one round and reports whether the payout is settled. A crash
// ends the round and starts the program again.
func (b *box) attempt() (done bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
			b.reopen()
		}
	}()
	ctx := context.Background()

	p, err := b.request(DraftRequest{Actor: "ann", IdemKey: "the only one"})
	if err != nil {
		b.t.Fatal(err)
	}
	if p.State == Pending {
		if err := b.desk.Approve(ctx, approvalOf(p)); err != nil {
			b.t.Fatal(err)
		}
	}
	_ = b.desk.Advance(ctx) // errors are what this test is about
	b.wallet.mine(1, 0)

	return b.get(p.ID).State == Settled
}

// TestCrashBetweenCommits starts the program anew after each single operation,
// with nothing but the disk in common.
func TestCrashBetweenCommits(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.reopen()
	b.want(p.ID, Draft, "")
	b.advance()
	b.reopen()
	b.approve(b.want(p.ID, Pending, ""))
	b.reopen()
	b.advance()
	b.reopen()
	b.want(p.ID, Broadcast, "")
	for range 3 {
		b.wallet.mine(1, 0)
		b.advance()
		b.reopen()
	}
	b.want(p.ID, Settled, "")
	if err := b.desk.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	b.checkPaid()
}

// TestLostBroadcastReply: the transaction was sent, our process does not know it,
// and the node that had it in its memory is killed.
func TestLostBroadcastReply(t *testing.T) {
	for _, f := range []fault{lostReply, killAfter} {
		b := newBox(t, fullLedger(t))
		p := b.draft()
		b.advance()
		b.approve(b.get(p.ID))
		b.wallet.fault, b.wallet.faultOn = f, "sendrawtransaction"
		b.advance()
		p = b.want(p.ID, Signed, "does not answer")

		b.reopen()
		if err := b.desk.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := b.want(p.ID, Broadcast, "")
		if string(again.Raw) != string(p.Raw) {
			t.Error("other bytes were sent the second time")
		}
		b.wallet.mine(3, 0)
		b.advance()
		b.want(p.ID, Settled, "")
		b.checkPaid()
	}
}

// TestNodeForgets: the node is killed when the payout is in its mempool.
func TestNodeForgets(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.sent()
	b.wallet.restart()
	b.advance()
	b.want(p.ID, Broadcast, "")
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

func TestReorg(t *testing.T) {
	full := fullLedger(t)
	for _, forget := range []bool{false, true} {
		for _, state := range []State{Confirmed, Settled} {
			t.Run(fmt.Sprintf("%s, forgotten %v", state, forget), func(t *testing.T) {
				b := newBox(t, full)
				p := b.sent()
				b.wallet.mine(1, 0)
				if state == Settled {
					b.wallet.mine(2, 0)
				}
				b.advance()
				b.want(p.ID, state, "")

				// Twice, because a settlement is booked under a key of its own each time.
				for range 2 {
					b.wallet.reorg(b.wallet.height-b.get(p.ID).Height+1, forget)
					b.advance() // forgotten by the wallet: sent again, which it sees at the next pass
					b.advance()
					p = b.want(p.ID, Broadcast, "")
					if p.Height != 0 || p.BlockHash != nil {
						t.Errorf("taken back, but in block %v at height %d", p.BlockHash, p.Height)
					}
					sums, err := b.ledger.Sums(t.Context())
					if err != nil || sums.Reserved != p.Total || sums.TxFee != 0 {
						t.Errorf("sums = %+v, %v, want %d reserved", sums, err, p.Total)
					}
					b.checkBooks()

					b.wallet.mine(4, 0)
					b.advance()
					b.want(p.ID, Settled, "")
					b.checkPaid()
				}
			})
		}
	}
}

// TestReorgMovesBlock: the payout is in another block at once.
func TestReorgMovesBlock(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.settled()
	b.wallet.reorg(3, false)
	b.wallet.mine(4, 0)
	b.advance()
	after := b.want(p.ID, Settled, "")
	if *after.BlockHash == *p.BlockHash {
		t.Error("the block was not noted")
	}
	b.checkPaid()
}

// TestConflict: somebody else spends the coins of a payout that was sent.
func TestConflict(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.sent()
	b.wallet.steal(b.wallet.txs[*p.TxID].tx)
	b.wallet.mine(10, 0)
	b.advance()
	b.want(p.ID, Broadcast, "Another transaction, confirmed 11 times, has spent a coin")

	sums, err := b.ledger.Sums(t.Context())
	if err != nil || sums.Reserved != p.Total || sums.Payable != 0 {
		t.Errorf("sums = %+v, %v: money was released automatically", sums, err)
	}
	if _, frozen := b.desk.Frozen(t.Context()); !frozen {
		t.Error("payouts are not frozen")
	}
}

// rival is a wallet whose node has a transaction in its mempool that spends
// everybody's coins.
type rival struct {
	Wallet
	txid chainhash.Hash
}

func (r rival) Spenders(context.Context, []wire.OutPoint) ([]chainhash.Hash, error) {
	return []chainhash.Hash{r.txid}, nil
}

// TestFreezeStopsThePass: once one payout shows that somebody else has the keys, the
// same pass signs and sends no other.
func TestFreezeStopsThePass(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.policy.MaxItems = 1
	first, second := b.draft(), b.draft()
	b.advance()
	for _, p := range []Payout{first, second} {
		b.approve(b.want(p.ID, Pending, ""))
	}
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeRejected, "insufficient fee, rejecting replacement")
	b.desk.wallet = rival{b.wallet, chainhash.HashH([]byte("theft"))}
	b.advance()
	b.want(first.ID, Signed, "which is none of this pool")
	b.want(second.ID, Approved, "")
	if _, frozen := b.desk.Frozen(t.Context()); !frozen {
		t.Error("payouts are not frozen")
	}
}

// TestMissingInputs: -25 never means that the money can be given back.
func TestMissingInputs(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeVerify, "bad-txns-inputs-missingorspent")
	p := b.draft()
	b.advance()
	b.approve(b.get(p.ID))
	b.advance()
	b.want(p.ID, Signed, "missing or spent")
	if sums, err := b.ledger.Sums(t.Context()); err != nil || sums.Reserved != p.Total {
		t.Errorf("sums = %+v, %v, want all reserved", sums, err)
	}

	b.wallet.refuse = nil
	b.advance()
	b.wallet.mine(3, 0)
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeVerify, "bad-txns-inputs-missingorspent")
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

// TestReconcileLocks: after the node was killed the wallet has other locks than
// the ledger has leases.
func TestReconcileLocks(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	p = b.get(p.ID)
	b.wallet.mine(100, 0) // the immature coins of newBox become spendable
	clear(b.wallet.locks)
	for _, u := range b.wallet.unspent() {
		b.wallet.locks[wire.OutPoint{Hash: u.TxID, Index: u.Vout}] = false
	}
	delete(b.wallet.locks, p.Inputs[0].OutPoint)

	b.reopen()
	if err := b.desk.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.wallet.locks) != len(p.Inputs) {
		t.Errorf("%d coins are locked, want the payout's %d", len(b.wallet.locks), len(p.Inputs))
	}
	for _, in := range p.Inputs {
		if persistent := b.wallet.locks[in.OutPoint]; !persistent {
			t.Errorf("coin %v is not locked for good", in.OutPoint)
		}
	}
}
