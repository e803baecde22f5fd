package payout

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// The rows of money.md section 4 that concern a payout before it is signed; the
// crashes are in kill_test.go.

// TestFault14NoFeeEstimate and TestFault15FeeRateTypo: there is no fallback fee,
// and what nobody means is refused before anybody is asked.
func TestFault14NoFeeEstimate(t *testing.T) {
	r := newRealBox(t)
	r.policy.FeeRate = ""
	p := r.draft()
	r.advance()
	r.want(p.ID, Draft, "no estimate of the network fee")
	r.policy.FeeRate = "3"
	r.advance()
	r.want(p.ID, Pending, "")
}

// TestFault15FeeRateTypo: see TestFault14NoFeeEstimate.
func TestFault15FeeRateTypo(t *testing.T) {
	r := newRealBox(t)
	p := r.draft()
	for rate, problem := range map[string]string{
		"0": "outside 0.1", "0.09": "outside 0.1", "1001": "outside 0.1", "-3": "not a number", "2,5": "not a number", "1e3": "not a number",
	} {
		r.policy.FeeRate = rate
		r.advance()
		r.want(p.ID, Draft, problem)
	}
	r.policy.FeeRate, r.policy.FeeCap, r.policy.FeeCapBps = "900", 1000, -1 // the amount alone, no part of the total
	r.advance()
	r.want(p.ID, Draft, "at most 1000 sats are allowed")
	if locked, err := r.node.LockedUnspent(t.Context()); err != nil || len(locked) != 0 {
		t.Errorf("refused plans keep %d coins locked: %v", len(locked), err)
	}
	r.policy = Policy{ConfirmationsToSettle: 3, FeeRate: "2.5"}
	r.advance()
	r.want(p.ID, Pending, "")
}

// TestFault16InsufficientFunds: most coins are on their way. The payout waits as a
// draft, nobody gets less, and it goes on when the change is back.
func TestFault16InsufficientFunds(t *testing.T) {
	r := newRealBox(t)
	r.policy.MaxItems = 1
	for range 2 { // of 10 coins these take 9
		p := r.draft()
		r.advance()
		r.approve(r.want(p.ID, Pending, ""))
		r.advance()
		r.want(p.ID, Broadcast, "")
	}
	p := r.draft()
	r.advance()
	waits := r.want(p.ID, Draft, "does not have 8250000000 sats")
	if waits.Total != p.Total || waits.Items[0].Amount != p.Items[0].Amount || waits.Items[0].FeeShare != 0 {
		t.Errorf("the payout was %+v and is %+v", p, waits)
	}
	r.mine(1)
	r.advance()
	r.want(p.ID, Pending, "")
}

// TestFault17Dust: what this package takes for dust is what the node takes for
// dust, and no such amount is ever chosen.
func TestFault17Dust(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	scripts := map[string][]byte{
		"P2WPKH": script(9),
		"P2TR":   slices.Concat([]byte{txscript.OP_1, 32}, slices.Repeat([]byte{2}, 32)),
		"P2WSH":  slices.Concat([]byte{txscript.OP_0, 32}, slices.Repeat([]byte{2}, 32)),
		"P2PKH":  slices.Concat([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, slices.Repeat([]byte{2}, 20), []byte{txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG}),
		"P2SH":   slices.Concat([]byte{txscript.OP_HASH160, 20}, slices.Repeat([]byte{2}, 20), []byte{txscript.OP_EQUAL}),
	}
	for kind, s := range scripts {
		least := dustLimit(s)
		for amount, dust := range map[int64]bool{least - 1: true, least: false} {
			_, err := r.node.FundPSBT(ctx, []node.PayTo{{Address: addressOf(t, s), Amount: amount}}, node.FundOptions{FeeRate: "2.5"})
			if node.IsCode(err, node.ErrCodeWallet) != dust || !dust && err != nil {
				t.Errorf("%s of %d sats: %v", kind, amount, err)
			}
			items, _ := Choose([]Candidate{{Account: 1, Script: s, Payable: amount}}, Policy{MinPayout: 1}, 0)
			if (len(items) == 0) != dust {
				t.Errorf("%s of %d sats: chosen %v", kind, amount, items)
			}
		}
	}
}

// TestFault18OneAddressTwice: two spellings of an address are one account, one
// item and one output.
func TestFault18OneAddressTwice(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	upper := strings.ToUpper(addressOf(t, script(1)))
	a, known, err := r.ledger.Account(ctx, addressOf(t, script(1)))
	if err != nil || !known {
		t.Fatal(known, err)
	}
	err = r.ledger.Update(ctx, func(tx *ledger.Tx) error {
		id, err := tx.OpenAccount(ctx, upper, script(1), r.now)
		if id != a.ID {
			t.Errorf("%s has account %d, want %d", upper, id, a.ID)
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.draft()
	r.advance()
	p = r.want(p.ID, Pending, "")
	seen := make(map[string]bool)
	for _, i := range p.Items {
		if seen[string(i.Script)] {
			t.Errorf("%s is paid twice", i.Address)
		}
		seen[string(i.Script)] = true
	}
	r.approve(p)
	r.advance()
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()

	// Should two items for one script ever be there, no transaction is accepted.
	packet, err := decodePSBT(p.PSBT)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unplanned(packet.UnsignedTx, append(p.Items, p.Items[0])); err == nil {
		t.Error("a script with two items is accepted")
	}
}

// TestFault19ForeignAddress: an address of another network, or one with a wrong
// letter, is not paid and not even shown to the wallet.
func TestFault19ForeignAddress(t *testing.T) {
	good := addressOf(t, script(1))
	for name, address := range map[string]string{
		"main net":     "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"testnet":      "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
		"wrong letter": strings.Replace(good, good[len(good)-1:], string(good[len(good)-1]^1), 1),
		"another's":    addressOf(t, script(2)),
		"nothing":      "",
	} {
		err := checkAddresses([]Item{{Address: address, Script: script(1), Amount: 100_000}}, &chaincfg.RegressionNetParams)
		if sentence, ok := Sentence(err); !ok || !strings.Contains(sentence, "Cancel the payout") {
			t.Errorf("%s: %v, want a sentence", name, err)
		}
	}
	if err := checkAddresses([]Item{{Address: good, Script: script(1)}}, &chaincfg.RegressionNetParams); err != nil {
		t.Error(err)
	}

	r := newRealBox(t)
	_, err := r.node.FundPSBT(t.Context(), []node.PayTo{{Address: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Amount: 100_000}}, node.FundOptions{FeeRate: "2.5"})
	if !node.IsCode(err, node.ErrCodeNotFound) {
		t.Errorf("the node pays to another network: %v", err)
	}
}

// TestFault54BelowTheMinimum: who never reaches the minimum keeps what they have,
// and it is shown with the reason.
func TestFault54BelowTheMinimum(t *testing.T) {
	b := newBox(t, fullLedger(t))
	address, least := addressOf(t, script(1)), int64(10*reward)
	if err := b.ledger.SetAccountRule(t.Context(), address, &least, false, "ann"); err != nil {
		t.Fatal(err)
	}
	b.settled()
	for n := range int32(3) {
		earn(t, b.ledger, 200+n, reward)
		b.wallet.mine(1, reward)
		b.wallet.mine(110, 0)
		b.settled()
	}

	want := earned(1) + 3*(reward/100*99)/6
	owed, err := b.desk.Owed(t.Context())
	if err != nil || len(owed) != 1 || owed[0].Address != address || owed[0].Payable != want || !strings.Contains(owed[0].Reason, "minimum of 1000000000") {
		t.Errorf("Owed = %+v, %v, want %d sats", owed, err, want)
	}
	balance, known, err := b.ledger.BalanceOf(t.Context(), address)
	if err != nil || !known || balance.Payable != want || balance.Paid != 0 {
		t.Errorf("balance %+v, %v, %v", balance, known, err)
	}
	entries, err := b.ledger.Events(t.Context(), ledger.EventFilter{Account: balance.ID}, 100)
	if err != nil || len(entries) != 2*(blocks+3) {
		t.Errorf("%d events of the account, %v, want a credit and a maturity for each block", len(entries), err)
	}
	b.checkBooks()

	if err := b.ledger.SetAccountRule(t.Context(), address, nil, false, "ann"); err != nil {
		t.Fatal(err)
	}
	if p := b.draft(); p.Total != want {
		t.Errorf("with the pool's minimum %d sats are paid, want %d", p.Total, want)
	}
}

// TestFault58CapLowered: a cap that is exceeded only when the payout is approved,
// or only when it is to be signed, is kept all the same.
func TestFault58CapLowered(t *testing.T) {
	lower := map[string]func(*Policy, Payout){
		"one payout": func(p *Policy, one Payout) { p.MaxPayout = one.Total - 1 },
		"a day":      func(p *Policy, one Payout) { p.Max24h = one.Total - 1 },
		"the fee":    func(p *Policy, one Payout) { p.FeeCap, p.FeeCapBps = one.Fee-1, -1 },
		"recipients": func(p *Policy, _ Payout) { p.MaxItems = miners - 1 },
	}
	full := fullLedger(t)
	for name, change := range lower {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			b.advance()
			p = b.want(p.ID, Pending, "")
			policy := b.policy
			change(&b.policy, p)
			if err := b.desk.Approve(t.Context(), approvalOf(p)); !errors.Is(err, ErrCap) {
				t.Errorf("Approve = %v, want ErrCap", err)
			}
			b.policy = policy
			b.approve(p)
			change(&b.policy, p)
			b.advance()
			b.want(p.ID, Approved, "Approved, but not signed")
			b.policy = policy
			b.advance()
			b.want(p.ID, Broadcast, "")
		})
	}
}
