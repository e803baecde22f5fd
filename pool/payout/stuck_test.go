package payout

import (
	"math/big"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// TestFault22ImmatureInput: the wallet funds without complaint from a coin that
// cannot be spent yet.
func TestFault22ImmatureInput(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	own, err := r.node.NewAddress(ctx, "")
	r.must(err)
	var block []string
	r.must(r.node.Call(ctx, "generatetoaddress", &block, 1, own))
	var mined struct {
		Tx []string `json:"tx"`
	}
	r.must(r.node.Call(ctx, "getblock", &mined, block[0]))

	var funded struct {
		PSBT string `json:"psbt"`
	}
	r.must(r.node.WalletCall(ctx, "walletcreatefundedpsbt", &funded,
		[]any{map[string]any{"txid": mined.Tx[0], "vout": 0}}, []any{map[string]any{addressOf(t, script(1)): "1.00000000"}}, 0,
		map[string]any{"add_inputs": false, "fee_rate": 3, "change_type": "bech32"}))

	f := funding{
		items: []Item{{Address: addressOf(t, script(1)), Script: script(1), Amount: 1e8}}, feePolicy: FeePool,
		mine: func([]byte) bool { return true }, feeRate: 3000, feeCap: 1e6, height: r.tip().Blocks,
	}
	f.coins, err = r.desk.coins(ctx)
	r.must(err)
	if _, err := f.check(funded.PSBT); err == nil || !strings.Contains(err.Error(), "not a confirmed and mature coin") {
		t.Errorf("check = %v, want the coin refused", err)
	}
}

// TestFault23Evicted: fees have risen, and the node no longer has the payout. It is
// offered again and again, and a higher fee brings it back.
func TestFault23Evicted(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.node.args = append(r.node.args, "-minrelaytxfee=0.0001", "-persistmempool=0")
	r.node.restart()
	for range 2 {
		r.advance()
		p = r.want(p.ID, Broadcast, "does not take the transaction at the moment")
		r.wantFates(p.ID, "pay evicted")
		if sums := r.sums(); sums.Reserved != p.Total || !p.Can.Bump || !p.Can.CancelSent {
			t.Errorf("evicted: %+v, can %+v", sums, p.Can)
		}
		r.mine(1)
	}

	r.must(r.desk.Bump(t.Context(), changeOf(p, "12")))
	r.advance()
	r.want(p.ID, Broadcast, "")
	r.wantFates(p.ID, "pay replaced, bump broadcast")
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// TestFault23NeverTaken: the node has not taken the payout even once. Its fee can
// be raised all the same.
func TestFault23NeverTaken(t *testing.T) {
	r := newRealBox(t, "-minrelaytxfee=0.0001")
	p := r.draft()
	r.policy.FeeRate = "10"
	r.advance()
	r.approve(r.want(p.ID, Pending, ""))
	r.node.args = append(r.node.args, "-minrelaytxfee=0.0002", "-persistmempool=0")
	r.node.restart()
	r.advance()
	p = r.want(p.ID, Signed, "does not take the transaction at the moment")
	r.wantFates(p.ID, "pay signed")

	r.must(r.desk.Bump(t.Context(), changeOf(p, "25")))
	r.advance()
	r.want(p.ID, Broadcast, "")
	r.wantFates(p.ID, "pay replaced, bump broadcast")
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// TestFault25TooLittleToReplace: the node wants more for a replacement than others
// do. What was sent first stays under way, and nothing is frozen.
func TestFault25TooLittleToReplace(t *testing.T) {
	r := newRealBox(t, "-incrementalrelayfee=0.0001")
	r.policy.FeeRate = "12"
	p := r.onTheWay()
	r.must(r.desk.Bump(t.Context(), changeOf(p, "14")))
	r.advance()
	p = r.want(p.ID, Broadcast, "cannot be replaced")
	r.wantFates(p.ID, "pay broadcast, bump signed")
	if taken, _ := p.taken(); taken.Kind != KindPay || !p.Can.Sponsor {
		t.Errorf("a sponsor would spend the change of the %s, which the node does not have", taken.Kind)
	}
	if reason, frozen := r.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen: %s", reason)
	}

	r.must(r.desk.Bump(t.Context(), changeOf(p, "30")))
	r.advance()
	r.want(p.ID, Broadcast, "")
	r.wantFates(p.ID, "pay replaced, bump replaced, bump broadcast")
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// spender is a miner with a wallet, who spends what a payout brings at once.
type spender struct {
	wallet  *node.Client
	address string
}

// newSpender opens a wallet, and has its owner earn a block.
func (r realBox) newSpender() spender {
	r.t.Helper()
	ctx := r.t.Context()
	r.must(r.node.Call(ctx, "createwallet", nil, node.Named{"wallet_name": "miner", "load_on_startup": false}))
	s := spender{wallet: r.node.ForWallet("miner")}
	var err error
	s.address, err = s.wallet.NewAddress(ctx, "")
	r.must(err)
	a, err := address.DecodeAddress(s.address, &chaincfg.RegressionNetParams)
	r.must(err)
	script, err := txscript.PayToAddrScript(a)
	r.must(err)
	own, err := r.node.NewAddress(ctx, "")
	r.must(err)
	r.node.generate(1, own)
	block := r.tip()
	r.mine(100)
	earnAs(r.t, r.ledger, block.BestBlockHash, block.Blocks, 50e8, 101, []ledger.Weight{{Address: s.address, Script: script, Score: big.NewRat(1, 1)}})

	return s
}

// spend moves on what a payout in the mempool brings.
func (s spender) spend(r realBox, p Payout) {
	r.t.Helper()
	var raw struct {
		Vout []struct {
			N      int                      `json:"n"`
			Script struct{ Address string } `json:"scriptPubKey"`
		} `json:"vout"`
	}
	r.must(r.node.Call(r.t.Context(), "getrawtransaction", &raw, p.TxID, 1))
	for _, out := range raw.Vout {
		if out.Script.Address == s.address {
			r.must(s.wallet.WalletCall(r.t.Context(), "sendall", nil, node.Named{
				"recipients": []string{addressOf(r.t, script(777))}, "fee_rate": 2,
				"options": map[string]any{"inputs": []any{map[string]any{"txid": p.TxID, "vout": out.N}}},
			}))

			return
		}
	}
	r.t.Fatalf("payout %v does not pay %s", p.TxID, s.address)
}

// TestFault26Descendants: a miner has spent the payout already, so it cannot be
// replaced. A child of its change pays for it instead.
func TestFault26Descendants(t *testing.T) {
	r := newRealBox(t)
	miner := r.newSpender()
	p := r.onTheWay()
	miner.spend(r, p)

	err := r.desk.Bump(t.Context(), changeOf(p, "30"))
	if text, refused := Sentence(err); !refused || !strings.Contains(text, "Transaction has descendants") {
		t.Errorf("bump of a spent payout: %v", err)
	}
	r.wantFates(p.ID, "pay broadcast")

	for _, rate := range []string{"20", "40"} {
		r.must(r.desk.Sponsor(t.Context(), changeOf(r.get(p.ID), rate)))
	}
	p = r.get(p.ID)
	if len(p.Sponsors) != 2 || p.Sponsors[1].Fate != FateBroadcast || p.Can.Bump {
		t.Fatalf("sponsors %+v, can %+v", p.Sponsors, p.Can)
	}
	child := p.Sponsors[1]
	if rate := (child.Fee + p.Fee) * 1000 / (child.VSize + p.VSize); rate < 39_500 || rate > 41_000 {
		t.Errorf("parent and child offer %d sats per 1000 vB, want 40000", rate)
	}
	r.advance()
	if reason, frozen := r.desk.Frozen(t.Context()); frozen {
		t.Fatalf("frozen by our own child: %s", reason)
	}

	for range 2 { // the second time after a reorganisation
		r.mine(3)
		r.advance()
		p = r.want(p.ID, Settled, "")
		if p.Sponsors[0].Fate != FateDead || p.Sponsors[1].Fate != FateSettled {
			t.Errorf("sponsors %+v", p.Sponsors)
		}
		if got, want := r.sums().TxFee, p.Fee+child.Fee; got != want {
			t.Errorf("booked fees %d sats, want %d", got, want)
		}
		r.checkWallet()

		r.invalidate(*p.BlockHash)
		r.advance()
		if got := r.sums().TxFee; got != 0 {
			t.Errorf("booked fees without a block: %d sats", got)
		}
	}
}

// TestSponsorWithoutParent: a child that no node ever took is dead when a block has
// another transaction of the family, or another child, and holds no coin for ever.
func TestSponsorWithoutParent(t *testing.T) {
	full := fullLedger(t)
	for name, tt := range map[string]struct {
		instead func(b *box, p Payout)
		want    State
		fates   []Fate
	}{
		"cancelled": {func(b *box, p Payout) { b.must(b.desk.CancelSent(t.Context(), changeOf(p, ""))) }, Cancelled, []Fate{FateDead}},
		"another":   {func(b *box, p Payout) { b.must(b.desk.Sponsor(t.Context(), changeOf(p, "40"))) }, Settled, []Fate{FateDead, FateSettled}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.sent()
			b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeRejected, "mempool full")
			b.must(b.desk.Sponsor(t.Context(), changeOf(p, "15")))
			b.wallet.refuse = nil
			p = b.get(p.ID)
			if len(p.Sponsors) != 1 || p.Sponsors[0].Fate != FateSigned {
				t.Fatalf("sponsors %+v", p.Sponsors)
			}

			tt.instead(b, p)
			b.advance()
			b.wallet.mine(undoneDepth, 0)
			b.advance()
			p = b.want(p.ID, tt.want, "")
			for n, s := range p.Sponsors {
				if s.Fate != tt.fates[n] {
					t.Errorf("child %d is %s, want %s", n, s.Fate, tt.fates[n])
				}
			}
			b.wallet.mine(deep, 0)
			b.advance()
			b.advance()
			if leased, err := leases(t.Context(), b.db.Reader()); err != nil || len(leased) != 0 {
				t.Errorf("leases %v, %v after %d blocks", leased, err, deep)
			}
			b.checkBooks()
		})
	}
}

// TestSponsorConflict: another transaction that has the change of a payout can leave the
// chain as long as it is not deep, and then the child is sent again.
func TestSponsorConflict(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.sent()
	b.must(b.desk.Sponsor(t.Context(), changeOf(p, "15")))
	child := b.get(p.ID).Sponsors[0]
	b.wallet.txs[*p.TxID].mempool, b.wallet.txs[*p.TxID].block = false, b.wallet.height
	b.wallet.steal(b.wallet.txs[child.TxID].tx) // in the next block
	for blocks := 1; blocks <= undoneDepth; blocks++ {
		b.advance()
		if got := b.get(p.ID).Sponsors[0].Fate; (got == FateDead) != (blocks == undoneDepth) {
			t.Errorf("conflict %d blocks deep: the child is %s", blocks, got)
		}
		b.wallet.mine(1, 0)
	}
}

// TestFault26CancelWithChild: a cancelling transaction replaces the payout and the
// child that paid for it.
func TestFault26CancelWithChild(t *testing.T) {
	r := newRealBox(t)
	p := r.onTheWay()
	r.must(r.desk.Sponsor(t.Context(), changeOf(p, "15")))
	r.must(r.desk.CancelSent(t.Context(), changeOf(r.get(p.ID), "")))
	r.advance()
	r.want(p.ID, Cancelling, "")
	r.wantFates(p.ID, "pay replaced, cancel broadcast")
	r.mine(6)
	r.advance()
	r.want(p.ID, Cancelled, "")
	if s := r.get(p.ID).Sponsors[0]; s.Fate != FateDead {
		t.Errorf("the child of a cancelled payout is %s", s.Fate)
	}
	r.checkWallet()
}
