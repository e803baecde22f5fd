package payout

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// TestDraftWaits: what keeps a draft from being funded is said, changes nothing,
// and is over as soon as its cause is.
func TestDraftWaits(t *testing.T) {
	tests := map[string]struct {
		cause, cure func(b *box)
		problem     string
		fails       bool // the whole pass
	}{
		"no fee estimate": {
			func(b *box) { b.wallet.fee = "" },
			func(b *box) { b.policy.FeeRate = "2" },
			"no estimate of the network fee", false,
		},
		"fee rate zero": {
			func(b *box) { b.policy.FeeRate = "0" },
			func(b *box) { b.policy.FeeRate = "" },
			"outside 0.1 to 1000 sat/vB", false,
		},
		"fee rate is a typo": {
			func(b *box) { b.policy.FeeRate = "41000" },
			func(b *box) { b.policy.FeeRate = "4.1" },
			"outside 0.1 to 1000 sat/vB", false,
		},
		"fee over the cap": {
			func(b *box) { b.policy.FeeCap, b.policy.FeeCapBps = 10, -1 },
			func(b *box) { b.policy.FeeCap = 1000 },
			"over the limit: the network fee of 812 sats", false,
		},
		"not enough coins": {
			func(b *box) { b.wallet.mine(1, 0); delete(b.wallet.txs, b.wallet.unspent()[0].TxID) },
			func(b *box) { b.wallet.mine(100, 0) },
			"does not have 396000000 sats", false,
		},
		"wallet not loaded": {
			func(b *box) { b.wallet.noKeys = true },
			func(b *box) { b.wallet.noKeys = false },
			"wallet is not loaded", true,
		},
		"node gone": {
			func(b *box) { b.wallet.dead = true },
			func(b *box) { b.wallet.dead = false },
			"does not answer", true,
		},
		"node behind": {
			func(b *box) { b.cursor(b.wallet.height + 1) },
			func(b *box) { b.wallet.mine(1, 0) },
			"has to catch up to block 113", true,
		},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			tt.cause(b)
			for range 2 {
				if err := b.desk.Advance(t.Context()); (err != nil) != tt.fails {
					t.Errorf("Advance = %v, want an error: %v", err, tt.fails)
				}
				if got := b.want(p.ID, Draft, tt.problem); got.Rev != p.Rev {
					t.Errorf("a problem changes the revision from %d to %d", p.Rev, got.Rev)
				}
			}
			if last := b.events[len(b.events)-1]; !strings.Contains(last.Problem, tt.problem) {
				t.Errorf("last event %+v does not tell the problem", last)
			}
			if len(b.wallet.locks) != 0 {
				t.Errorf("coins are locked for a plan that does not exist: %v", b.wallet.locks)
			}
			tt.cure(b)
			b.advance()
			b.want(p.ID, Pending, "")
		})
	}
}

// cursor sets how far the ledger followed the chain.
func (b *box) cursor(height int32) {
	b.t.Helper()
	if err := b.ledger.SetCursor(b.t.Context(), height, b.wallet.blockHash(height)); err != nil {
		b.t.Fatal(err)
	}
}

// TestApprovedWaits: the same for a payout that waits for its signature.
func TestApprovedWaits(t *testing.T) {
	tests := map[string]struct {
		cause, cure func(b *box)
		problem     string
	}{
		"passphrase not entered": {
			func(b *box) { b.pass.err = ErrLocked },
			func(b *box) { b.pass.err = nil },
			"The wallet is locked",
		},
		"cap lowered": {
			func(b *box) { b.policy.MaxPayout = 1000 },
			func(b *box) { b.policy.MaxPayout = 0 },
			"Approved, but not signed: over the limit",
		},
		"wallet locks itself": {
			func(b *box) { b.wallet.fault, b.wallet.faultOn = killBefore, "walletprocesspsbt" },
			func(*box) {},
			"does not answer",
		},
		"coin left the chain": {
			func(b *box) { b.wallet.txs[b.get(1).Inputs[0].OutPoint.Hash].block = 0 },
			func(b *box) { b.wallet.txs[b.get(1).Inputs[0].OutPoint.Hash].block = 1 },
			"is no longer in the chain",
		},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			b.advance()
			b.approve(b.get(p.ID))
			tt.cause(b)
			b.reopen()
			b.advance()
			b.want(p.ID, Approved, tt.problem)
			if b.wallet.open {
				t.Error("the wallet was left open")
			}
			tt.cure(b)
			b.reopen()
			b.advance()
			b.want(p.ID, Broadcast, "")
		})
	}
}

func TestWrongPassphrase(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	b.approve(b.get(p.ID))
	b.desk.pass = wrongPass{}
	b.advance()
	b.want(p.ID, Approved, "does not accept the passphrase")
}

// TestOneProblemDoesNotStopTheOthers: a payout that the node refuses, and a
// younger one that goes its way.
func TestOneProblemDoesNotStopTheOthers(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.policy.MaxItems = 1
	first := b.draft()
	second := b.draft()
	b.advance()
	b.approve(b.get(first.ID))
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeRejected, "tx-size")
	b.advance()
	b.want(first.ID, Signed, "The node refuses the transaction: tx-size")

	// The coins of the first remain its own.
	b.wallet.mine(100, 0)
	b.advance()
	two := b.want(second.ID, Pending, "")
	for _, mine := range b.get(first.ID).Inputs {
		for _, other := range two.Inputs {
			if mine.OutPoint == other.OutPoint {
				t.Errorf("both payouts spend %v", mine.OutPoint)
			}
		}
	}
}

// TestFreeze: money leaves the wallet on a way that the ledger does not know.
func TestFreeze(t *testing.T) {
	b := newBox(t, fullLedger(t))
	sent := b.sent()
	b.wallet.mine(100, 0) // the wallet's other coins can be spent
	b.advance()
	earn(t, b.ledger, 60, reward)
	draft := b.draft()
	txid := b.thief()
	b.advance()

	for range 2 {
		reason, frozen := b.desk.Frozen(t.Context())
		if !frozen || !strings.Contains(reason, txid.String()) {
			t.Fatalf("Frozen = %q, %v, want %v", reason, frozen, txid)
		}
		if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "new"}); !errors.Is(err, ErrFrozen) {
			t.Errorf("Draft: %v, want ErrFrozen", err)
		}
		if err := b.desk.Cancel(t.Context(), Change{ID: draft.ID, Rev: draft.Rev, Actor: "ann"}); !errors.Is(err, ErrFrozen) {
			t.Errorf("Cancel: %v, want ErrFrozen", err)
		}
		b.advance()
		b.want(draft.ID, Draft, "")
		b.want(sent.ID, Settled, "") // what was sent is still followed

		b.cursor(b.wallet.height)
		b.wallet.mine(1, 0) // the unknown payment is not looked at again
		b.reopen()
	}
	b.checkBooks()

	// A reversal lifts it.
	err := b.ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		return tx.Reverse(t.Context(), freezeSend+txid.String(), "lift:"+txid.String(), "ann", b.now)
	})
	if err != nil {
		t.Fatal(err)
	}
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("still frozen: %s", reason)
	}
	b.checkBooks()
}

// TestOldBackup: the ledger is restored from before a signature. Its plan is in
// the chain, but the ledger has never signed it.
func TestOldBackup(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	old := b.path + ".backup"
	if err := b.db.Backup(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	b.approve(b.get(p.ID))
	b.advance()
	b.wallet.mine(1, 0)

	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.path = old
	b.open()
	b.now = b.now.Add(48 * time.Hour)
	b.advance()
	b.want(p.ID, Pending, "") // neither expired nor signed again
	if _, frozen := b.desk.Frozen(t.Context()); !frozen {
		t.Error("payouts are not frozen")
	}
}

// TestBackupOfLongAgo: the ledger is restored from before a payout that has long
// been settled, and the pool has followed the chain to its end before the desk
// first looks at the wallet.
func TestBackupOfLongAgo(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.advance()
	old := b.path + ".backup"
	if err := b.db.Backup(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	b.settled()
	b.wallet.mine(5000, 0)

	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.path = old
	b.open()
	b.cursor(b.wallet.height)
	b.advance()
	if _, frozen := b.desk.Frozen(t.Context()); !frozen {
		t.Error("payouts are not frozen, and everybody would be paid again")
	}
}

// TestBooksBroken: a ledger that does not add up pays nobody.
func TestBooksBroken(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	err := b.ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE balance SET amount = amount - 1 WHERE account = 101`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.advance()
	b.want(p.ID, Draft, "")
	if reason, frozen := b.desk.Frozen(t.Context()); !frozen || !strings.Contains(reason, "does not add up") {
		t.Errorf("Frozen = %q, %v", reason, frozen)
	}
}

// TestStoredPlanChanged: somebody changes the plan in the database after it was
// approved.
func TestStoredPlanChanged(t *testing.T) {
	for name, statement := range map[string]string{
		"fee":     `UPDATE payout_tx SET fee = fee + 1`,
		"fee cap": `UPDATE payout SET fee_cap = fee_cap + 1`,
		"input":   `UPDATE tx_input SET amount = amount + 1`,
		"digest":  `UPDATE payout SET plan_digest = zeroblob(32)`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, fullLedger(t))
			p := b.draft()
			b.advance()
			b.approve(b.get(p.ID))
			err := b.ledger.Update(t.Context(), func(tx *ledger.Tx) error {
				_, err := tx.ExecContext(t.Context(), statement)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			b.advance()
			if got := b.get(p.ID); got.State != Approved || got.Problem == "" || b.wallet.sent != 0 {
				t.Errorf("payout is %s, problem %q", got.State, got.Problem)
			}
		})
	}
}

func TestForeignAddress(t *testing.T) {
	params, err := chainParams("main")
	if err != nil {
		t.Fatal(err)
	}
	item := Item{Address: addressOf(t, script(1)), Script: script(1)}
	if err := checkAddresses([]Item{item}, params); err == nil {
		t.Error("a regtest address is accepted on the main chain")
	}
	params, err = chainParams("regtest")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkAddresses([]Item{item}, params); err != nil {
		t.Error(err)
	}
	item.Script = script(2)
	if err := checkAddresses([]Item{item}, params); err == nil {
		t.Error("an address is accepted for the script of another")
	}
	if _, err := chainParams("liquid"); err == nil {
		t.Error("an unknown chain is accepted")
	}
}
