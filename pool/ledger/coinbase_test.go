package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// paying completes a found block so that its coinbase pays what fits into it: it
// does what the pool does when it makes the job.
func paying(ctx context.Context, l *ledger.Ledger, f ledger.Found, window []ledger.Weight, limits ledger.CoinbaseLimits) (ledger.Found, error) {
	ids, err := l.OpenAccounts(ctx, window)
	if err != nil {
		return f, err
	}
	in := ledger.SplitInput{Value: f.Value, Terms: f.Terms}
	scripts := map[int64][]byte{}
	miners := map[int64]ledger.Weight{}
	for i, w := range window {
		in.Weights = append(in.Weights, ledger.AccountWeight{Account: ids[i], Score: w.Score})
		scripts[ids[i]], miners[ids[i]] = w.Script, w
	}
	split, err := ledger.Split(in)
	if err != nil {
		return f, err
	}
	for _, c := range split.Credits {
		w := miners[c.Account]
		f.Dues = append(f.Dues, ledger.Due{Address: w.Address, Script: w.Script, Score: w.Score, Amount: c.Amount})
	}

	outputs, rest := ledger.Direct(split, scripts, poolScript, limits)
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, []byte{0x51, byte(f.Height)}, [][]byte{make([]byte, 32)}))
	for _, o := range outputs {
		coinbase.AddTxOut(wire.NewTxOut(o.Amount, scripts[o.Account]))
	}
	if rest > 0 || len(outputs) == 0 {
		coinbase.AddTxOut(wire.NewTxOut(rest, poolScript))
	}
	coinbase.AddTxOut(wire.NewTxOut(0, []byte{0x6a, 0x24})) // the witness commitment

	f.PoolScript = poolScript
	return withCoinbase(f, coinbase)
}

// withCoinbase makes the raw block.
func withCoinbase(f ledger.Found, coinbase *wire.MsgTx) (ledger.Found, error) {
	block := wire.MsgBlock{Transactions: []*wire.MsgTx{coinbase}}
	var raw bytes.Buffer
	err := block.Serialize(&raw)
	f.Raw, f.CoinbaseTxID = raw.Bytes(), coinbase.TxHash()

	return f, err
}

// directBlock is the n-th test block, whose coinbase pays bob and alice; carol and
// dave do not fit.
func directBlock(t *testing.T, l *ledger.Ledger, n int) ledger.Found {
	t.Helper()
	f := found(n)
	f.Terms.Settlement = ledger.SettlementDirect
	f, err := paying(t.Context(), l, f, weights(), ledger.CoinbaseLimits{MinOutput: 10_000, Room: 3 * 31})
	if err != nil {
		t.Fatal(err)
	}

	return f
}

// sums returns the sums of a book that must be in order.
func sums(t *testing.T, l *ledger.Ledger) ledger.Sums {
	t.Helper()
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	s, err := l.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// A direct block: the wallet sees the pool's output alone, and miners whom the
// coinbase did not pay are owed their part, through every flip.
func TestDirectBlock(t *testing.T) {
	l, _ := open(t)
	f := directBlock(t, l, 1)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := l.FreezeCoinbase(t.Context(), f.Hash, 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.FreezeCoinbase(t.Context(), f.Hash, 8); !errors.Is(err, ledger.ErrFrozen) {
		t.Errorf("another winner = %v, want ErrFrozen", err)
	}

	// Vector A: alice, bob, carol, dave.
	const alice, bob, carol, dave = 91_878_630, 107_191_734, 91_878_629, 15_313_105
	const rest = 4_687_685 + 1_562_561 + carol + dave
	block, err := l.Block(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	paid := map[string]int64{}
	for _, r := range block.Split {
		paid[r.Address] = r.Paid
	}
	if diff := cmp.Diff(map[string]int64{"alice": alice, "bob": bob, "carol": 0, "dave": 0}, paid); diff != "" || block.Paid != alice+bob {
		t.Errorf("paid by the coinbase: %d (-want +got):\n%s", block.Paid, diff)
	}

	orphan := ledger.Observation{Known: true, Confirmations: -1, Maturity: 101}
	in := ledger.Sums{Immature: rest, Pending: carol + dave, Fee: 4_687_685, Donation: 1_562_561}
	deep := ledger.Sums{Spendable: rest, Payable: carol + dave, Fee: 4_687_685, Donation: 1_562_561}
	for i, step := range []struct {
		seen ledger.Observation
		want ledger.Sums
		bob  [4]int64
		dave [4]int64
	}{
		{confirmed(1), in, [4]int64{3: bob}, [4]int64{0: dave}},
		{orphan, ledger.Sums{}, [4]int64{}, [4]int64{}},
		{confirmed(1), in, [4]int64{3: bob}, [4]int64{0: dave}},
		{confirmed(101), deep, [4]int64{3: bob}, [4]int64{1: dave}},
		{orphan, ledger.Sums{}, [4]int64{}, [4]int64{}},
		{confirmed(1), in, [4]int64{3: bob}, [4]int64{0: dave}},
	} {
		observe(t, l, f.Hash, step.seen)
		if got := sums(t, l); got != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
		if b, d := owed(t, l, "bob"), owed(t, l, "dave"); b != step.bob || d != step.dave {
			t.Errorf("step %d: bob %v, want %v; dave %v, want %v", i, b, step.bob, d, step.dave)
		}
	}

	events, err := l.Events(t.Context(), ledger.EventFilter{Ref: "blk:" + f.Hash.String()}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, strings.TrimPrefix(e.Key, "blk:"+f.Hash.String()+":"))
	}
	want := "settle:2 direct:2 credit:2 orphan:1 undirect:1 unsettle:1 unmature:1 mature:1 settle:1 direct:1 credit:1 " +
		"orphan:0 undirect:0 unsettle:0 settle:0 direct:0 credit:0"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("events\n got %s\nwant %s", got, want)
	}
}

// A solo block pays its miner, even where a window that is not full holds back.
func TestSoloBlock(t *testing.T) {
	for _, fee := range []int64{0, 150} {
		l, _ := open(t)
		f := found(1)
		f.Terms = ledger.Terms{Settlement: ledger.SettlementSolo, FeeBps: fee, WindowMilli: 2000, Underfill: ledger.UnderfillHold}
		window := []ledger.Weight{{Address: f.Address, Script: f.Script, Score: big.NewRat(1, 1)}}
		f, err := paying(t.Context(), l, f, window, ledger.CoinbaseLimits{MinOutput: 1, Room: 700})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.RecordFound(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if err := l.FreezeCoinbase(t.Context(), f.Hash, 1); err != nil {
			t.Fatal(err)
		}
		observe(t, l, f.Hash, confirmed(1), confirmed(101))
		rest := f.Value * fee / 10_000
		if got := sums(t, l); got != (ledger.Sums{Spendable: rest, Fee: rest}) {
			t.Errorf("fee of %d: %+v", fee, got)
		}
		if got := owed(t, l, "alice"); got != [4]int64{3: f.Value - rest} {
			t.Errorf("fee of %d: alice %v", fee, got)
		}
	}
}

// What a coinbase says is believed only as far as it is what the job said.
func TestFreezeCoinbaseRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*wire.MsgTx, *ledger.Found)
		want  string
	}{
		{"a stranger", func(tx *wire.MsgTx, _ *ledger.Found) { tx.TxOut[0].PkScript = p2wpkh(99) }, "who is due 0"},
		{"more than due", func(tx *wire.MsgTx, _ *ledger.Found) { tx.TxOut[0].Value++; tx.TxOut[1].Value-- }, "pays 107191735 sat"},
		{"less than the job's value", func(tx *wire.MsgTx, _ *ledger.Found) { tx.TxOut[2].Value-- }, "its job was worth"},
		{"another pool", func(_ *wire.MsgTx, f *ledger.Found) { f.PoolScript = p2wpkh(98) }, "who is due 0"},
		{"dues of another value", func(_ *wire.MsgTx, f *ledger.Found) { f.Dues[0].Amount++; f.Dues[1].Amount-- }, "not the split"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := open(t)
			f := directBlock(t, l, 1)
			var block wire.MsgBlock
			if err := block.Deserialize(bytes.NewReader(f.Raw)); err != nil {
				t.Fatal(err)
			}
			c.spoil(block.Transactions[0], &f)
			f, err := withCoinbase(f, block.Transactions[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := l.RecordFound(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			if err := l.FreezeCoinbase(t.Context(), f.Hash, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("FreezeCoinbase = %v, want %q", err, c.want)
			}
			if b, err := l.Block(t.Context(), f.Hash); err != nil || b.Frozen {
				t.Errorf("frozen %v, %v", b.Frozen, err)
			}
		})
	}

	l, _ := open(t)
	f := directBlock(t, l, 1)
	f.CoinbaseTxID[0]++
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := l.FreezeCoinbase(t.Context(), f.Hash, 1); err == nil {
		t.Error("the coinbase of another transaction was taken")
	}
	f = directBlock(t, l, 2)
	f.Dues = nil
	if err := l.RecordFound(t.Context(), f); err == nil {
		t.Error("a block that pays nobody knows whom was recorded")
	}
}
