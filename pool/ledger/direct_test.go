package ledger_test

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Scripts of the usual kinds of addresses, of the n-th miner.
func p2wpkh(n byte) []byte { return append([]byte{0, 20}, bytes.Repeat([]byte{n}, 20)...) }
func p2tr(n byte) []byte   { return append([]byte{0x51, 32}, bytes.Repeat([]byte{n}, 32)...) }

func p2pkh(n byte) []byte {
	return append(append([]byte{0x76, 0xa9, 20}, bytes.Repeat([]byte{n}, 20)...), 0x88, 0xac)
}

// poolScript is the script of the pool's wallet.
var poolScript = p2wpkh(0xff)

// Vector F: three outputs fit.
func TestDirectVectorF(t *testing.T) {
	direct := terms()
	direct.Settlement = ledger.SettlementDirect
	in := ledger.SplitInput{Value: 312_512_344, Terms: direct}
	scripts := map[int64][]byte{}
	for i, work := range []int64{6000, 7000, 6000, 1000, 1} { // alice, bob, carol, dave, erin
		in.Weights = append(in.Weights, weight(int64(1+i), work, 10_000))
		scripts[int64(1+i)] = p2wpkh(byte(i))
	}
	split, err := ledger.Split(in)
	if err != nil {
		t.Fatal(err)
	}

	outputs, rest := ledger.Direct(split, scripts, poolScript, ledger.CoinbaseLimits{MinOutput: 10_000, Room: (3 + 1) * 31})
	if diff := cmp.Diff([]ledger.Credit{{2, 107_186_375}, {1, 91_874_036}, {3, 91_874_036}}, outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if rest != 21_577_897 {
		t.Errorf("the pool's output is %d, want 21577897", rest)
	}
	if dave, erin := split.Credits[3].Amount, split.Credits[4].Amount; dave != 15_312_339 || erin != 15_312 {
		t.Errorf("carried for dave %d, for erin %d, want 15312339 and 15312", dave, erin)
	}
}

func TestDirect(t *testing.T) {
	credits := func(amounts ...int64) (r ledger.SplitResult) {
		for i, amount := range amounts {
			r.Credits = append(r.Credits, ledger.Credit{Account: int64(1 + i), Amount: amount})
		}

		return r
	}
	scripts := map[int64][]byte{1: p2wpkh(1), 2: p2wpkh(2), 3: p2tr(3), 4: poolScript}
	withFee := credits(5000, 7000)
	withFee.Fee = 20

	tests := []struct {
		name    string
		split   ledger.SplitResult
		limits  ledger.CoinbaseLimits
		outputs []ledger.Credit
		rest    int64
	}{
		{"everybody, and nothing for the pool", credits(5000, 7000), ledger.CoinbaseLimits{1000, 700}, []ledger.Credit{{2, 7000}, {1, 5000}}, 0},
		{"a small fee takes the smallest output along", withFee, ledger.CoinbaseLimits{1000, 700}, []ledger.Credit{{2, 7000}}, 5020},
		{"a large enough fee does not", withFee, ledger.CoinbaseLimits{20, 700}, []ledger.Credit{{2, 7000}, {1, 5000}}, 20},
		{"too small for an output", credits(999, 7000), ledger.CoinbaseLimits{900, 700}, []ledger.Credit{{2, 7000}, {1, 999}}, 0},
		{"owed, as it is too small", credits(1999, 7000), ledger.CoinbaseLimits{2000, 700}, nil, 8999},
		{"what is too large leaves its place to the next", credits(4000, 0, 9000), ledger.CoinbaseLimits{1000, 31 + 31}, []ledger.Credit{{1, 4000}}, 9000},
		{"no room at all", credits(4000), ledger.CoinbaseLimits{1000, 31}, nil, 4000},
		{"the pool's own script is owed", credits(1, 2000, 0, 9000), ledger.CoinbaseLimits{1000, 700}, []ledger.Credit{{2, 2000}}, 9001},
		{"a block that is worth nothing", credits(0, 0), ledger.CoinbaseLimits{0, 700}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outputs, rest := ledger.Direct(tt.split, scripts, poolScript, tt.limits)
			if diff := cmp.Diff(tt.outputs, outputs, cmpopts.EquateEmpty()); diff != "" || rest != tt.rest {
				t.Errorf("rest %d, want %d; outputs (-want +got):\n%s", rest, tt.rest, diff)
			}
		})
	}
}

// I8: the outputs add up to the value, none is below the minimum, they fit into
// the room, and no larger credit is owed while a smaller one that takes no less
// room is paid.
func TestDirectInvariants(t *testing.T) {
	kinds := []func(byte) []byte{p2wpkh, p2tr, p2pkh}

	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.Terms.Settlement = ledger.SettlementDirect
		if rapid.Bool().Draw(t, "crowd") { // more legacy scripts than a block may have
			in.Weights = nil
			for i := range int64(130) {
				in.Weights = append(in.Weights, ledger.AccountWeight{Account: 101 + i, Score: big.NewRat(1+i%7, 7)})
			}
		}
		split := split(t, in)
		scripts := map[int64][]byte{}
		for _, w := range in.Weights {
			scripts[w.Account] = rapid.SampledFrom(kinds).Draw(t, "kind")(byte(w.Account))
		}
		limits := ledger.CoinbaseLimits{
			MinOutput: rapid.Int64Range(1, 100_000).Draw(t, "minimum"),
			Room:      rapid.IntRange(0, 6500).Draw(t, "room"),
		}

		outputs, rest := ledger.Direct(split, scripts, poolScript, limits)
		sum, size, legacy := rest, 0, 0
		if rest > 0 {
			size += 9 + len(poolScript)
		}
		paid := map[int64]int64{}
		smallest := in.Value
		for _, o := range outputs {
			sum += o.Amount
			size += 9 + len(scripts[o.Account])
			if len(scripts[o.Account]) == 25 {
				legacy++
			}
			if o.Amount < limits.MinOutput {
				t.Fatalf("output %+v is below %d", o, limits.MinOutput)
			}
			paid[o.Account] = o.Amount
			smallest = min(smallest, o.Amount)
		}
		if sum != in.Value {
			t.Fatalf("outputs and rest add up to %d, want %d", sum, in.Value)
		}
		if len(outputs) > 0 && (size > limits.Room || legacy > 100 || 0 < rest && rest < limits.MinOutput) {
			t.Fatalf("%d bytes of %d, %d legacy outputs, rest %d", size, limits.Room, legacy, rest)
		}
		for _, c := range split.Credits {
			if amount, ok := paid[c.Account]; ok && amount != c.Amount {
				t.Fatalf("account %d is paid %d of %d", c.Account, amount, c.Amount)
			} else if !ok && len(outputs) > 0 && c.Amount > smallest && len(scripts[c.Account]) == len(p2wpkh(0)) {
				t.Fatalf("account %d is owed %d while %d is paid", c.Account, c.Amount, smallest)
			}
		}
	})
}
