package ledger_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/ledger"
)

// vectors is testdata/pplns.json.
type vectors struct {
	AccountIDs map[string]int64 `json:"account_ids"`
	Shares     []struct {
		Account     string `json:"account"`
		Work        int64  `json:"work"`
		NetworkWork int64  `json:"network_work"`
	} `json:"shares"`
	Cases []struct {
		Name        string            `json:"name"`
		FirstShare  int               `json:"first_share"`
		WindowMilli int64             `json:"window_milli"`
		Value       int64             `json:"value"`
		FeeBps      int64             `json:"fee_bps"`
		DonationBps int64             `json:"donation_bps"`
		Underfill   string            `json:"underfill"`
		Fee         int64             `json:"fee"`
		Donation    int64             `json:"donation"`
		Distributed int64             `json:"distributed"`
		Reserve     int64             `json:"reserve"`
		Credits     map[string]int64  `json:"credits"`
		Scores      map[string]string `json:"scores"`
	} `json:"cases"`
}

func TestSplitVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/pplns.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) != 5 {
		t.Fatalf("%d cases, want A to E", len(v.Cases))
	}

	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			// The window, newest share first, as far as X reaches.
			scores := map[string]*big.Rat{}
			left := big.NewRat(c.WindowMilli, 1000)
			for i := len(v.Shares) - 1; i >= c.FirstShare; i-- {
				s := v.Shares[i]
				score := big.NewRat(s.Work, s.NetworkWork)
				if score.Cmp(left) > 0 {
					score.Set(left)
				}
				left.Sub(left, score)
				if scores[s.Account] == nil {
					scores[s.Account] = new(big.Rat)
				}
				scores[s.Account].Add(scores[s.Account], score)
			}

			in := ledger.SplitInput{Value: c.Value, Terms: ledger.Terms{
				Settlement: ledger.SettlementLedger, FeeBps: c.FeeBps, DonationBps: c.DonationBps,
				WindowMilli: c.WindowMilli, Underfill: c.Underfill,
			}}
			want := ledger.SplitResult{Fee: c.Fee, Donation: c.Donation, Reserve: c.Reserve}
			for _, name := range []string{"alice", "bob", "carol", "dave"} {
				if got := scores[name].RatString(); got != c.Scores[name] {
					t.Errorf("score of %s = %s, want %s", name, got, c.Scores[name])
				}
				in.Weights = append(in.Weights, ledger.AccountWeight{Account: v.AccountIDs[name], Score: scores[name]})
				want.Credits = append(want.Credits, ledger.Credit{Account: v.AccountIDs[name], Amount: c.Credits[name]})
			}

			got, err := ledger.Split(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Split (-want +got):\n%s", diff)
			}
		})
	}
}

// weight is short for tables.
func weight(account, num, denom int64) ledger.AccountWeight {
	return ledger.AccountWeight{Account: account, Score: big.NewRat(num, denom)}
}

func TestSplit(t *testing.T) {
	free := func(change func(*ledger.Terms)) ledger.Terms {
		t := ledger.Terms{Settlement: ledger.SettlementLedger, WindowMilli: 2000, Underfill: ledger.UnderfillScale}
		change(&t)

		return t
	}
	scale := free(func(*ledger.Terms) {})
	hold := func(milli int64) ledger.Terms {
		return free(func(t *ledger.Terms) { t.Underfill, t.WindowMilli = ledger.UnderfillHold, milli })
	}
	none := big.NewRat(0, 1)

	tests := []struct {
		name    string
		value   int64
		terms   ledger.Terms
		weights []ledger.AccountWeight
		want    ledger.SplitResult
	}{
		{
			"nothing to share", 0, scale,
			[]ledger.AccountWeight{weight(101, 1, 3), weight(102, 1, 3)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 0}, {102, 0}}},
		},
		{
			"fewer satoshis than miners: the lowest ids get them", 2, scale,
			[]ledger.AccountWeight{weight(103, 1, 3), weight(101, 1, 3), weight(102, 1, 3)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 1}, {102, 1}, {103, 0}}},
		},
		{
			"one miner with a tiny score gets all", 5_000_000_000, scale,
			[]ledger.AccountWeight{weight(101, 1, 1<<62)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 5_000_000_000}}},
		},
		{
			"the devices of a miner count together", 100, scale,
			[]ledger.AccountWeight{weight(101, 1, 4), weight(102, 1, 2), weight(101, 1, 4)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 50}, {102, 50}}},
		},
		{
			"an account without work gets nothing, not even a remainder", 10, scale,
			[]ledger.AccountWeight{{Account: 101, Score: none}, weight(102, 1, 3), weight(103, 2, 3)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 0}, {102, 3}, {103, 7}}},
		},
		{
			"hold of a full window holds nothing", 1000, hold(2000),
			[]ledger.AccountWeight{weight(101, 3, 2), weight(102, 1, 2)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 750}, {102, 250}}},
		},
		{
			"hold of more than a full window scales", 1000, hold(500),
			[]ledger.AccountWeight{weight(101, 3, 4), weight(102, 1, 4)},
			ledger.SplitResult{Credits: []ledger.Credit{{101, 750}, {102, 250}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ledger.Split(ledger.SplitInput{Value: tt.value, Terms: tt.terms, Weights: tt.weights})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Split (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   ledger.SplitInput
		want string
	}{
		{"a window of zeroes", ledger.SplitInput{Value: 1, Terms: terms(), Weights: []ledger.AccountWeight{weight(101, 0, 1)}}, "window is empty"},
		{"a negative score", ledger.SplitInput{Value: 1, Terms: terms(), Weights: []ledger.AccountWeight{weight(101, -1, 1)}}, "no score"},
		{"a missing score", ledger.SplitInput{Value: 1, Terms: terms(), Weights: []ledger.AccountWeight{{Account: 101}}}, "no score"},
		{"a negative value", ledger.SplitInput{Value: -1, Terms: terms(), Weights: []ledger.AccountWeight{weight(101, 1, 1)}}, "not an amount"},
		{"more than there is", ledger.SplitInput{Value: 2_100_000_000_000_001, Terms: terms(), Weights: []ledger.AccountWeight{weight(101, 1, 1)}}, "not an amount"},
		{"no terms", ledger.SplitInput{Value: 1, Weights: []ledger.AccountWeight{weight(101, 1, 1)}}, "settlement"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ledger.Split(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Split = %v, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

func TestTermsValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*ledger.Terms)
		want   string // "" = valid
	}{
		{"the usual", func(*ledger.Terms) {}, ""},
		{"the ceilings", func(t *ledger.Terms) { t.FeeBps, t.DonationBps, t.WindowMilli = 1000, 1000, 100_000 }, ""},
		{"nothing for the pool", func(t *ledger.Terms) { t.FeeBps, t.DonationBps, t.WindowMilli = 0, 0, 100 }, ""},
		{"hold", func(t *ledger.Terms) { t.Underfill = "hold" }, ""},
		{"a fee above the ceiling", func(t *ledger.Terms) { t.FeeBps = 1001 }, "the pool fee is 1001 basis points"},
		{"a negative fee", func(t *ledger.Terms) { t.FeeBps = -1 }, "the pool fee is -1 basis points"},
		{"a negative donation", func(t *ledger.Terms) { t.DonationBps = -1 }, "the donation is -1"},
		{"no window", func(t *ledger.Terms) { t.WindowMilli = 0 }, "the window is 0 thousandths"},
		{"an endless window", func(t *ledger.Terms) { t.WindowMilli = 100_001 }, "the window is 100001"},
		{"another rule", func(t *ledger.Terms) { t.Underfill = "keep" }, `under-filled window is "keep"`},
		{"another settlement", func(t *ledger.Terms) { t.Settlement = "pps" }, `the settlement "pps" is not known`},
		{"two mistakes", func(t *ledger.Terms) { t.FeeBps, t.WindowMilli = 5000, -1 }, "10 %)\nthe window is -1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			terms := terms()
			tt.change(&terms)
			err := terms.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Validate = %v, want %q", err, tt.want)
			}
		})
	}
}

// drawInput makes any split that can happen: one to 40 accounts, two network
// difficulties, a full window or not.
func drawInput(t *rapid.T) ledger.SplitInput {
	in := ledger.SplitInput{
		Value: rapid.OneOf(rapid.Int64Range(0, 50), rapid.Int64Range(0, 2_100_000_000_000_000)).Draw(t, "value"),
		Terms: ledger.Terms{
			Settlement:  ledger.SettlementLedger,
			FeeBps:      rapid.Int64Range(0, 1000).Draw(t, "fee"),
			DonationBps: rapid.Int64Range(0, 1000).Draw(t, "donation"),
			WindowMilli: rapid.Int64Range(100, 100_000).Draw(t, "window"),
			Underfill:   rapid.SampledFrom([]string{ledger.UnderfillScale, ledger.UnderfillHold}).Draw(t, "underfill"),
		},
	}
	networks := []int64{4_838_420, 402_975_273_204_876_391, 7}
	for i := range rapid.IntRange(1, 40).Draw(t, "accounts") {
		work := rapid.OneOf(rapid.Int64Range(1, 10), rapid.Int64Range(1, 1<<62)).Draw(t, "work")
		in.Weights = append(in.Weights, weight(int64(101+i), work, rapid.SampledFrom(networks).Draw(t, "network")))
	}

	return in
}

// quotas is what each account is due before rounding, computed in another way.
func quotas(in ledger.SplitInput, r ledger.SplitResult) map[int64]*big.Rat {
	sum, due := new(big.Rat), map[int64]*big.Rat{}
	for _, w := range in.Weights {
		sum.Add(sum, w.Score)
		if due[w.Account] == nil {
			due[w.Account] = new(big.Rat)
		}
		due[w.Account].Add(due[w.Account], w.Score)
	}
	if x := big.NewRat(in.Terms.WindowMilli, 1000); in.Terms.Underfill == ledger.UnderfillHold && sum.Cmp(x) < 0 {
		sum = x
	}
	perScore := new(big.Rat).Quo(new(big.Rat).SetInt64(in.Value-r.Fee-r.Donation), sum)
	for _, q := range due {
		q.Mul(q, perScore)
	}

	return due
}

func split(t rapid.TB, in ledger.SplitInput) ledger.SplitResult {
	r, err := ledger.Split(in)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

// checkSplit makes sure of the invariants I1 to I3.
func checkSplit(t rapid.TB, in ledger.SplitInput, r ledger.SplitResult) {
	t.Helper()

	one, due := big.NewRat(1, 1), quotas(in, r)
	sum := r.Fee + r.Donation + r.Reserve
	for i, c := range r.Credits {
		sum += c.Amount
		if c.Amount < 0 || c.Account != in.Weights[i].Account {
			t.Fatalf("I2: credit %+v to an account that did not work, or negative", c)
		}
		off := new(big.Rat)
		if off.Sub(due[c.Account], new(big.Rat).SetInt64(c.Amount)).Abs(off).Cmp(one) >= 0 {
			t.Fatalf("I3: credit %+v is %s sat off its quota", c, off.FloatString(3))
		}
	}
	if sum != in.Value || r.Reserve < 0 || r.Fee < 0 || r.Donation < 0 {
		t.Fatalf("I1: %+v adds up to %d, want %d", r, sum, in.Value)
	}
}

func TestSplitInvariants(t *testing.T) {
	one := big.NewRat(1, 1)

	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		r := split(t, in)

		checkSplit(t, in, r)

		// I4: order and the division of a miner's work do not matter. I5: nor does the run.
		mixed := in
		mixed.Weights = nil
		for _, w := range in.Weights {
			part := new(big.Rat).Mul(w.Score, big.NewRat(rapid.Int64Range(0, 7).Draw(t, "part"), 7))
			mixed.Weights = append(mixed.Weights,
				ledger.AccountWeight{Account: w.Account, Score: part},
				ledger.AccountWeight{Account: w.Account, Score: new(big.Rat).Sub(w.Score, part)})
		}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(mixed.Weights), func(i, j int) {
			mixed.Weights[i], mixed.Weights[j] = mixed.Weights[j], mixed.Weights[i]
		})
		if diff := cmp.Diff(r, split(t, mixed)); diff != "" {
			t.Fatalf("I4, I5: another order gives another split (-first +second):\n%s", diff)
		}

		// I6: more work, the others as they were, never gives less than the quota of before, less one.
		i := rapid.IntRange(0, len(in.Weights)-1).Draw(t, "harder")
		more := in
		more.Weights = append([]ledger.AccountWeight{}, in.Weights...)
		more.Weights[i].Score = new(big.Rat).Add(in.Weights[i].Score, big.NewRat(rapid.Int64Range(1, 1<<40).Draw(t, "more"), 4_838_420))
		floor := quotas(in, r)[in.Weights[i].Account]
		floor.Sub(floor, one)
		if got := split(t, more).Credits[i].Amount; new(big.Rat).SetInt64(got).Cmp(floor) < 0 {
			t.Fatalf("I6: more work gives %d sat, less than %s", got, floor.FloatString(3))
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	in := ledger.SplitInput{Value: 312_512_344, Terms: terms()}
	source := rand.New(rand.NewPCG(1, 2))
	network := [2]*big.Int{new(big.Int).Lsh(big.NewInt(402_975_273_204_877), 30), new(big.Int).Lsh(big.NewInt(398_111_222_333_444), 30)}
	for i := range 10_000 {
		score := new(big.Rat)
		for _, n := range network {
			score.Add(score, new(big.Rat).SetFrac(big.NewInt(source.Int64N(1<<60)), n))
		}
		in.Weights = append(in.Weights, ledger.AccountWeight{Account: int64(101 + i), Score: score})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ledger.Split(in); err != nil {
			b.Fatal(err)
		}
	}
}
