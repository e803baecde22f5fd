package ledger_test

import (
	"math/big"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

// TestFault51Extremes: the invariants hold at the ends of what can be set and of
// what can happen. Windows of half a block's work are in shares.TestFault51PeerTruncatesX.
func TestFault51Extremes(t *testing.T) {
	// many gives n accounts all of the work for so many thousandths of a window.
	many := func(n, milli int64) (list []ledger.AccountWeight) {
		parts := n * (n + 1) / 2
		for i := range n {
			list = append(list, ledger.AccountWeight{Account: 101 + i, Score: big.NewRat(milli*(i+1), 1000*parts)})
		}

		return list
	}
	tests := map[string]struct {
		value, milli int64
		weights      []ledger.AccountWeight
	}{
		"X = 0.5":               {312_512_344, 500, many(7, 500)},
		"X = 0.5, under-filled": {312_512_344, 500, many(7, 3)},
		"X = 8":                 {312_512_344, 8000, many(7, 8000)},
		"X = 8, under-filled":   {312_512_344, 8000, many(7, 1)},
		"one miner":             {312_512_344, 2000, many(1, 2000)},
		"one miner, one share":  {312_512_344, 2000, []ledger.AccountWeight{weight(101, 1, 402_975_273_204_876_391)}},
		"10 000 miners":         {312_512_344, 2000, many(10_000, 2000)},
		"fewer sats than that":  {9_999, 2000, many(10_000, 2000)},
		"V = 0":                 {0, 2000, many(7, 2000)},
		"V = 1":                 {1, 2000, many(7, 2000)},
		"all coins":             {2_100_000_000_000_000, 2000, many(10_000, 2000)},
	}
	for name, tt := range tests {
		for _, underfill := range []string{ledger.UnderfillScale, ledger.UnderfillHold} {
			t.Run(name+", "+underfill, func(t *testing.T) {
				terms := terms()
				terms.WindowMilli, terms.Underfill = tt.milli, underfill
				if err := terms.Validate(); err != nil {
					t.Fatal(err)
				}
				in := ledger.SplitInput{Value: tt.value, Terms: terms, Weights: tt.weights}
				r := split(t, in)
				checkSplit(t, in, r)
				if len(r.Credits) != len(tt.weights) {
					t.Errorf("%d credits for %d accounts", len(r.Credits), len(tt.weights))
				}
				if underfill == ledger.UnderfillScale && r.Reserve != 0 {
					t.Errorf("reserve of %d sats", r.Reserve)
				}
			})
		}
	}
}
