package payout

import (
	"errors"
	"fmt"
	"testing"

	"github.com/dmpool/dmpool/pool/node"
)

func TestSendOutcomes(t *testing.T) {
	tests := []struct {
		code int
		text string
		want outcome
	}{
		{-27, "Transaction outputs already in utxo set", sent},
		{-27, "Transaction already in block chain", sent},
		{-26, "txn-already-in-mempool", sent},
		{-26, "txn-already-known", sent},
		{-25, "bad-txns-inputs-missingorspent", ambiguous},
		{-26, "missing-inputs", ambiguous},
		{-25, "Missing inputs", ambiguous},
		{-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)", refused},
		{-26, "max-fee-exceeded", refused},
		{-26, "min relay fee not met, 0 < 141", notNow},
		{-26, "mempool min fee not met, 219 < 925", notNow},
		{-26, "mempool full", notNow},
		{-26, "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 36", notNow},
		{-26, "insufficient fee, rejecting replacement 12ab; new feerate 0.1 <= old feerate 0.2", conflict},
		{-26, "txn-mempool-conflict", conflict},
		{-26, "bad-txns-in-belowout", refused},
		{-26, "mandatory-script-verify-flag-failed", refused},
		{-22, "TX decode failed", refused},
		{-28, "Loading block index…", noAnswer},
		{-18, "Requested wallet does not exist or is not loaded", noAnswer},
		{-19, "Wallet file not specified", noAnswer},
		{-32603, "internal", noAnswer},
	}
	for _, tt := range tests {
		err := fmt.Errorf("send: %w", refusal("sendrawtransaction", tt.code, tt.text))
		if got := sendOutcome(err); got != tt.want {
			t.Errorf("sendOutcome(%v) = %d, want %d", err, got, tt.want)
		}
	}
	for _, err := range []error{node.ErrUnreachable, node.ErrUnauthorized, node.ErrStarting, node.ErrBadAnswer, errors.New("disk full")} {
		if got := sendOutcome(err); got != noAnswer {
			t.Errorf("sendOutcome(%v) = %d, want noAnswer", err, got)
		}
	}
	if got := sendOutcome(nil); got != sent {
		t.Errorf("sendOutcome(nil) = %d, want sent", got)
	}
}

// TestSendOutcomesChangeNothing is section 2.6 of the design: whatever a node
// answers to sendrawtransaction, the payout keeps its transaction and its money,
// and goes on as soon as the node takes it.
func TestSendOutcomesChangeNothing(t *testing.T) {
	answer := func(code int, text string) error { return refusal("sendrawtransaction", code, text) }
	tests := []struct {
		answer  error
		state   State
		fate    Fate
		problem string
	}{
		{answer(-27, "Transaction outputs already in utxo set"), Broadcast, FateBroadcast, ""},
		{answer(-25, "bad-txns-inputs-missingorspent"), Signed, FateSigned, "missing or spent"},
		{answer(-26, "min relay fee not met, 0 < 141"), Signed, FateSigned, "kept and sent again"},
		{answer(-26, "mempool min fee not met, 219 < 925"), Signed, FateSigned, "kept and sent again"},
		{answer(-26, "mempool full"), Signed, FateSigned, "kept and sent again"},
		{answer(-26, "insufficient fee, rejecting replacement 12ab"), Signed, FateSigned, "Take a higher fee"},
		{answer(-26, "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 36"), Signed, FateSigned, "kept and sent again"},
		{answer(-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"), Signed, FateSigned, "a person has to look"},
		{answer(-26, "bad-txns-in-belowout"), Signed, FateSigned, "a person has to look"},
		{answer(-22, "TX decode failed"), Signed, FateSigned, "a person has to look"},
		{answer(-28, "Loading block index…"), Signed, FateSigned, "is starting"},
		{answer(-18, "Requested wallet does not exist or is not loaded"), Signed, FateSigned, "wallet is not loaded"},
		{answer(-19, "Wallet file not specified"), Signed, FateSigned, "several wallets"},
		{fmt.Errorf("call: %w", node.ErrUnreachable), Signed, FateSigned, "does not answer"},
		{fmt.Errorf("call: %w", node.ErrUnauthorized), Signed, FateSigned, "does not accept the pool's login"},
		{fmt.Errorf("call: %w", node.ErrBadAnswer), Signed, FateSigned, "does not understand"},
	}
	full := fullLedger(t)
	for _, tt := range tests {
		t.Run(tt.answer.Error(), func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			b.advance()
			b.approve(b.want(p.ID, Pending, ""))
			b.wallet.refuse = tt.answer
			b.advance()
			b.want(p.ID, tt.state, tt.problem)
			b.wantFates(p.ID, "pay "+string(tt.fate))
			if sums := b.sums(); sums.Reserved != p.Total || b.wallet.sent != 0 {
				t.Errorf("%+v after %d payments", sums, b.wallet.sent)
			}

			b.wallet.refuse = nil
			b.advance()
			b.want(p.ID, Broadcast, "")
			b.wallet.mine(3, 0)
			b.advance()
			b.want(p.ID, Settled, "")
			b.checkPaid()
		})
	}
}
