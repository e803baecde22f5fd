package payout

import (
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// TestFreezeOld: a ledger out of a backup pays nothing before somebody has said so.
func TestFreezeOld(t *testing.T) {
	b := newBox(t, fullLedger(t))
	made := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for range 2 {
		if err := b.ledger.Update(t.Context(), func(tx *ledger.Tx) error { return FreezeOld(t.Context(), tx, made, made.Add(time.Hour)) }); err != nil {
			t.Fatal(err)
		}
	}
	if reason, frozen := b.desk.Frozen(t.Context()); !frozen || !strings.Contains(reason, "23 November 2026, 02:00") {
		t.Errorf("frozen: %v, %q", frozen, reason)
	}
	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "1"}); err == nil {
		t.Error("a payout was drafted")
	}
	all, err := b.desk.Freezes(t.Context())
	if err != nil || len(all) != 1 || !all[0].Old.Equal(made) {
		t.Errorf("freezes: %+v, %v", all, err)
	}
	if err := b.desk.Lift(t.Context(), b.seen(Lift{Reason: "there was no payout since", Actor: "ann", Operators: 1})); err != nil {
		t.Error(err)
	}
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen after a lift: %s", reason)
	}
}

// Where miners are owed nothing, and will not be, nothing can be paid twice. What one
// of them owes the pool takes nothing off what is owed to another.
func TestMayPayTwice(t *testing.T) {
	books := func(t *testing.T) *box {
		path := filepath.Join(fastDir(t), "ledger.db")
		db, err := sqlite.Open(t.Context(), path, ledger.Schema)
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return newBox(t, path)
	}
	one := chainhash.HashH([]byte("one"))
	block := func(confirmations ...int32) func(t *testing.T) *box {
		return func(t *testing.T) *box {
			b := books(t)
			miner := ledger.Weight{Address: addressOf(t, script(1)), Script: script(1), Score: big.NewRat(1, 1)}
			b.must(b.ledger.RecordFound(t.Context(), ledger.Found{
				Hash: one, Height: 1, At: time.Now(), Address: miner.Address, Script: miner.Script, Work: 1, Bits: 0x207fffff,
				CoinbaseTxID: one, Value: reward, Raw: []byte("block"), Terms: ledger.Terms{Settlement: "ledger", WindowMilli: 2000, Underfill: "scale"},
			}))
			b.must(b.ledger.Freeze(t.Context(), one, ledger.Window{WinnerSeq: 1, Weights: []ledger.Weight{miner}}))
			for _, n := range confirmations {
				b.observe(one, n)
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		books func(t *testing.T) *box
		want  bool
		state ledger.State // of the one block, if that is what it is about
	}{
		"nothing":  {books, false, ""},
		"found":    {block(), true, ledger.StateFound},
		"accepted": {block(1), true, ledger.StateAccepted},
		"orphaned": {block(1, -1), true, ledger.StateOrphaned},
		"stale":    {block(-1), true, ledger.StateStale},
		"unknown": {func(t *testing.T) *box {
			b := block()(t)
			_, err := b.ledger.Observe(t.Context(), one, ledger.Observation{Maturity: 101})
			b.must(err)
			return b
		}, true, ledger.StateUnknown},
		"refused": {func(t *testing.T) *box {
			b := block()(t)
			b.must(b.ledger.RecordSubmit(t.Context(), one, "high-hash"))
			return b
		}, false, ledger.StateRejected},
		"paid": {func(t *testing.T) *box {
			b := newBox(t, fullLedger(t))
			b.settled()
			return b
		}, false, ""},
		"one has, another owes as much": {func(t *testing.T) *box {
			b := books(t)
			b.must(b.ledger.Update(t.Context(), func(tx *ledger.Tx) error {
				var accounts []int64
				for n := range int64(2) {
					account, err := tx.OpenAccount(t.Context(), addressOf(t, script(n+1)), script(n+1), time.Now())
					if err != nil {
						return err
					}
					accounts = append(accounts, account)
				}
				// The first is paid for what then turns out not to be there.
				had := ledger.Event{Key: "had", Kind: ledger.KindAdjust, Ref: "had", Actor: "test", At: time.Now()}
				paid := ledger.Event{Key: "paid", Kind: ledger.KindAdjust, Ref: "paid", Actor: "test", At: time.Now()}
				has := ledger.Event{Key: "has", Kind: ledger.KindAdjust, Ref: "has", Actor: "test", At: time.Now()}
				return errors.Join(
					tx.Post(t.Context(), had, []ledger.Posting{{Account: accounts[0], Bucket: ledger.Payable, Amount: -700}, {Account: ledger.WalletSpendable, Amount: 700}}),
					tx.Post(t.Context(), paid, []ledger.Posting{{Account: accounts[0], Bucket: ledger.Payable, Amount: 700}, {Account: ledger.WalletSpendable, Amount: -700}}),
					tx.Reverse(t.Context(), "had", "gone", "test", time.Now()),
					tx.Post(t.Context(), has, []ledger.Posting{{Account: accounts[1], Bucket: ledger.Payable, Amount: -700}, {Account: ledger.WalletSpendable, Amount: 700}}),
				)
			}))
			if sums := b.sums(); sums.Payable != 0 || sums.Debt != 700 {
				t.Fatalf("%+v", sums)
			}
			return b
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.books(t)
			if counts, err := b.ledger.CountBlocks(t.Context()); err != nil || c.state != "" && counts[c.state] != 1 {
				t.Fatalf("%v, %v", counts, err)
			}
			if may, err := MayPayTwice(t.Context(), b.db.Reader()); may != c.want || err != nil {
				t.Errorf("may pay twice: %v, %v", may, err)
			}
			b.must(b.ledger.Update(t.Context(), func(tx *ledger.Tx) error { return FreezeOld(t.Context(), tx, time.Now(), time.Now()) }))
			if reason, frozen := b.desk.Frozen(t.Context()); frozen != c.want {
				t.Errorf("frozen: %v, %s", frozen, reason)
			}
		})
	}
}
