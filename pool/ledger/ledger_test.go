package ledger_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// directory returns a folder in memory where the system has such. The tests commit
// thousands of transactions, and what they test does not depend on how long a disk
// takes to sync each of them.
func directory(t testing.TB) string {
	t.Helper()

	dir, err := os.MkdirTemp("/dev/shm", "ledger-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})

	return dir
}

// open returns a new ledger and its file.
func open(t *testing.T) (*ledger.Ledger, *sqlite.DB) {
	t.Helper()

	db, err := sqlite.Open(t.Context(), filepath.Join(directory(t), "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})

	return ledger.New(db), db
}

// terms are those of vector A.
func terms() ledger.Terms {
	return ledger.Terms{Settlement: ledger.SettlementLedger, FeeBps: 150, DonationBps: 50, WindowMilli: 2000, Underfill: ledger.UnderfillScale}
}

// found returns the n-th test block, worth 312 512 344 sat.
func found(n int) ledger.Found {
	return ledger.Found{
		Hash: hash(n), Prev: hash(n - 1), Height: int32(n), At: time.UnixMilli(1_700_000_000_000),
		Address: "alice", Script: []byte("script of alice"), Worker: "rig", Work: 4_295_032_833, Bits: 0x1e0377ae,
		CoinbaseTxID: hash(-n), Value: 312_512_344, Terms: terms(), Raw: fmt.Appendf(nil, "raw block %d", n),
	}
}

func hash(n int) chainhash.Hash { return chainhash.HashH(fmt.Append(nil, n)) }

// weights are those of vector A.
func weights() []ledger.Weight {
	return []ledger.Weight{
		{Address: "alice", Script: []byte("script of alice"), Score: big.NewRat(3, 5)},
		{Address: "bob", Script: []byte("script of bob"), Score: big.NewRat(7, 10)},
		{Address: "carol", Script: []byte("script of carol"), Score: big.NewRat(3, 5)},
		{Address: "dave", Script: []byte("script of dave"), Score: big.NewRat(1, 10)},
	}
}

// window is that of vector A: alice 300/1000 is out, bob 300 of 500 is the edge.
func window(seq int64) ledger.Window {
	w := ledger.Window{
		WinnerSeq: seq, FromSeq: 2, From: time.UnixMilli(1_690_000_000_000), Weights: weights(),
		Epochs: []ledger.Epoch{
			{Bits: 0x1d00ffff, Take: big.NewRat(1, 1)},
			{Bits: 0x1d00fffe, Take: big.NewRat(1, 1)},
			{Bits: 0x1d00fffe, Take: big.NewRat(3, 5)},
		},
	}
	for i, work := range [][3]int64{{750, 0, 0}, {500, 0, 500}, {250, 400, 0}, {125, 0, 0}} {
		for _, n := range work {
			w.Weights[i].Parts = append(w.Weights[i].Parts, ledger.Part{Work: big.NewInt(n), Shares: min(n, 1)})
		}
	}

	return w
}

// confirmed is an observation of a block in the main chain.
func confirmed(n int32) ledger.Observation {
	return ledger.Observation{Known: true, Confirmations: n, Maturity: 101}
}

// observe takes a block through observations and fails the test on an error.
func observe(t *testing.T, l *ledger.Ledger, h chainhash.Hash, observations ...ledger.Observation) {
	t.Helper()

	for _, o := range observations {
		if _, err := l.Observe(t.Context(), h, o); err != nil {
			t.Fatal(err)
		}
	}
}

// mine records and freezes the n-th block.
func mine(t *testing.T, l *ledger.Ledger, n int) chainhash.Hash {
	t.Helper()

	f := found(n)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := l.Freeze(t.Context(), f.Hash, window(int64(n))); err != nil {
		t.Fatal(err)
	}

	return f.Hash
}

// owed returns pending, payable, reserved and paid of a miner.
func owed(t *testing.T, l *ledger.Ledger, address string) [4]int64 {
	t.Helper()

	b, ok, err := l.BalanceOf(t.Context(), address)
	if err != nil || !ok {
		t.Fatalf("BalanceOf(%s) = %v, %v", address, ok, err)
	}

	return [4]int64{b.Pending, b.Payable, b.Reserved, b.Paid}
}

func TestFirstBlockToMature(t *testing.T) {
	l, _ := open(t)
	h := mine(t, l, 1)

	observe(t, l, h, confirmed(1))
	if got, want := owed(t, l, "bob"), [4]int64{107_191_734, 0, 0, 0}; got != want {
		t.Errorf("bob after acceptance = %v, want %v", got, want)
	}
	observe(t, l, h, confirmed(101))
	if got, want := owed(t, l, "bob"), [4]int64{0, 107_191_734, 0, 0}; got != want {
		t.Errorf("bob after maturity = %v, want %v", got, want)
	}

	sums, err := l.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Sums{Spendable: 312_512_344, Payable: 306_262_098, Fee: 4_687_685, Donation: 1_562_561}
	if sums != want {
		t.Errorf("Sums = %+v, want %+v", sums, want)
	}
}
