package ledger_test

import (
	"fmt"
	"math/big"
	"path/filepath"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// BenchmarkCheck replays books of 100 000 events from zero: 1000 blocks with a
// window of 20 miners, and for each of them 49 payouts to three miners.
func BenchmarkCheck(b *testing.B) {
	const (
		blocks  = 1000
		payouts = 49
		miners  = 20
		paid    = 3
	)
	db, err := sqlite.Open(b.Context(), filepath.Join(directory(b), "ledger.db"), ledger.Schema)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	l := ledger.New(db)

	var window ledger.Window
	for i := range miners {
		window.Weights = append(window.Weights, ledger.Weight{
			Address: fmt.Sprintf("miner %d", i), Script: fmt.Appendf(nil, "script %d", i), Score: big.NewRat(int64(i+1), 997),
		})
	}
	for n := range blocks {
		f := found(n + 1)
		window.WinnerSeq = int64(n + 1)
		if err := l.RecordFound(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		if err := l.Freeze(b.Context(), f.Hash, window); err != nil {
			b.Fatal(err)
		}
		for _, o := range []ledger.Observation{confirmed(1), confirmed(101)} {
			if _, err := l.Observe(b.Context(), f.Hash, o); err != nil {
				b.Fatal(err)
			}
		}
		err := l.Update(b.Context(), func(tx *ledger.Tx) error {
			for p := range payouts {
				if err := payBatch(b, tx, n*payouts+p, paid); err != nil {
					return err
				}
			}

			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	newest, err := l.Events(b.Context(), ledger.EventFilter{}, 1)
	if err != nil || newest[0].ID != 100_000 {
		b.Fatalf("the books end with event %+v, %v, want 100000", newest, err)
	}

	b.ReportAllocs()
	for b.Loop() {
		if err := l.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// payBatch books the two events of a payout of one sat each.
func payBatch(b *testing.B, tx *ledger.Tx, n, miners int) error {
	b.Helper()
	var reserve, settle []ledger.Posting
	for i := range miners {
		account := int64(102 + (n+i)%20) // 101 is the finder
		reserve = append(reserve,
			ledger.Posting{Account: account, Bucket: ledger.Payable, Amount: 1},
			ledger.Posting{Account: account, Bucket: ledger.Reserved, Amount: -1})
		settle = append(settle, ledger.Posting{Account: account, Bucket: ledger.Reserved, Amount: 1})
	}
	settle = append(settle, ledger.Posting{Account: ledger.WalletSpendable, Amount: -int64(miners)})

	for _, e := range []struct {
		kind     string
		postings []ledger.Posting
	}{{ledger.KindReserve, reserve}, {ledger.KindSettle, settle}} {
		event := event(fmt.Sprintf("pay:%d:%s", n, e.kind), e.kind)
		if err := tx.Post(b.Context(), event, e.postings); err != nil {
			return err
		}
	}

	return nil
}
