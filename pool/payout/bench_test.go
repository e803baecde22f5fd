package payout

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// BenchmarkSend200 takes a payout of 200 outputs from the operator's yes until the
// node has it, on the disk. The node's own share, which includes the signatures, is
// taken off.
func BenchmarkSend200(b *testing.B) {
	const outputs = 200
	full := filepath.Join(b.TempDir(), "full.db")
	db, err := sqlite.Open(b.Context(), full, ledger.Schema)
	if err != nil {
		b.Fatal(err)
	}
	var weights []ledger.Weight
	for n := range int64(outputs) {
		weights = append(weights, ledger.Weight{Address: addressOf(b, script(n)), Script: script(n), Score: big.NewRat(1, outputs)})
	}
	l := ledger.New(db)
	for n := int32(1); n <= blocks; n++ {
		earnAs(b, l, chainhash.Hash{byte(n)}, n, reward, 101, weights)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}

	var own time.Duration
	for b.Loop() {
		x := newBoxIn(b, full, b.TempDir())
		p := x.draft()
		x.advance()
		p = x.want(p.ID, Pending, "")

		x.wallet.took = 0
		start := time.Now()
		x.approve(p)
		x.advance()
		own += time.Since(start) - x.wallet.took

		if p = x.want(p.ID, Broadcast, ""); p.Recipients != outputs {
			b.Fatalf("%d outputs, want %d", p.Recipients, outputs)
		}
	}
	b.ReportMetric(float64(own.Nanoseconds())/float64(b.N), "ns/op")
}
