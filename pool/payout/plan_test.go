package payout

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// script returns a P2WPKH scriptPubKey that differs with n.
func script(n int64) []byte {
	return append([]byte{0x00, 0x14}, slices.Repeat([]byte{byte(n), byte(n >> 8)}, 10)...)
}

func TestChoose(t *testing.T) {
	candidates := []Candidate{
		{Account: 1, Script: script(1), Payable: 99_999},
		{Account: 2, Script: script(2), Payable: 100_000},
		{Account: 3, Script: script(3), Payable: 500_000, Hold: true},
		{Account: 4, Script: script(4), Payable: 600_000, MinPayout: 1_000_000},
		{Account: 5, Script: script(5), Payable: 700_000, Payout: 9},
		{Account: 6, Script: script(6), Payable: -5},
		{Account: 7, Script: script(7), Payable: 0},
		{Account: 8, Script: script(8), Payable: 300_000},
	}

	tests := []struct {
		name   string
		policy Policy
		spent  int64
		want   []int64          // accounts
		left   map[int64]string // a part of the reason
	}{
		{
			name: "defaults",
			want: []int64{2, 8},
			left: map[int64]string{1: "minimum of 100000", 3: "on hold", 4: "minimum of 1000000", 5: "Payout 9"},
		},
		{
			name:   "one recipient fits: the one who is owed most",
			policy: Policy{MaxItems: 1},
			want:   []int64{8},
			left:   map[int64]string{1: "minimum", 2: "as many recipients as fit", 3: "hold", 4: "minimum", 5: "Payout 9"},
		},
		{
			name:   "an amount over the limit does not keep the smaller ones waiting",
			policy: Policy{MaxPayout: 200_000},
			want:   []int64{2},
			left:   map[int64]string{1: "minimum", 3: "hold", 4: "minimum", 5: "Payout 9", 8: "More than the 200000 sats"},
		},
		{
			name:   "24 hours: what is left of the limit",
			policy: Policy{Max24h: 1_000_000},
			spent:  650_000,
			want:   []int64{8},
			left:   map[int64]string{1: "minimum", 2: "Waits for a later payout", 3: "hold", 4: "minimum", 5: "Payout 9"},
		},
		{
			name:   "24 hours: used up",
			policy: Policy{Max24h: 1_000_000},
			spent:  1_200_000,
			left: map[int64]string{
				1: "minimum", 2: "Waits for a later payout", 3: "hold", 4: "minimum", 5: "Payout 9", 8: "Waits for a later payout",
			},
		},
		{
			name:   "dust is never paid, whatever the minimum",
			policy: Policy{MinPayout: 1},
			want:   []int64{1, 2, 8},
			left:   map[int64]string{3: "hold", 4: "minimum", 5: "Payout 9"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, left := Choose(candidates, tt.policy, tt.spent)

			var got []int64
			for _, i := range items {
				got = append(got, i.Account)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("chosen accounts (-want +got):\n%s", diff)
			}
			if len(left) != len(tt.left) {
				t.Errorf("left = %v, want %v", left, tt.left)
			}
			for _, l := range left {
				if want := tt.left[l.Account]; want == "" || !strings.Contains(l.Reason, want) {
					t.Errorf("account %d is left with %q, want %q", l.Account, l.Reason, want)
				}
			}
		})
	}
}

func TestDustLimit(t *testing.T) {
	tests := map[string]struct {
		script []byte
		want   int64
	}{
		"P2WPKH": {script(1), 294},
		"P2TR":   {append([]byte{0x51, 0x20}, make([]byte, 32)...), 330},
		"P2WSH":  {append([]byte{0x00, 0x20}, make([]byte, 32)...), 330},
		"P2SH":   {append(append([]byte{0xa9, 0x14}, make([]byte, 20)...), 0x87), 540},
		"P2PKH":  {append(append([]byte{0x76, 0xa9, 0x14}, make([]byte, 20)...), 0x88, 0xac), 546},
	}
	for name, tt := range tests {
		if got := dustLimit(tt.script); got != tt.want {
			t.Errorf("dustLimit(%s) = %d, want %d", name, got, tt.want)
		}
	}

	items, left := Choose([]Candidate{{Account: 1, Script: script(1), Payable: 293}}, Policy{MinPayout: 1}, 0)
	if len(items) != 0 || len(left) != 1 {
		t.Errorf("Choose pays 293 sats to a P2WPKH script: %v", items)
	}
}

func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "accounts")
		candidates := make([]Candidate, n)
		for i := range candidates {
			candidates[i] = Candidate{
				Account:   int64(i + 1),
				Script:    script(int64(i)),
				Payable:   rapid.Int64Range(-1000, 5_000_000).Draw(t, "payable"),
				MinPayout: rapid.SampledFrom([]int64{0, 0, 1_000_000}).Draw(t, "min"),
				Hold:      rapid.IntRange(0, 9).Draw(t, "hold") == 0,
			}
		}
		policy := Policy{
			MinPayout: rapid.Int64Range(0, 200_000).Draw(t, "pool minimum"),
			MaxItems:  rapid.IntRange(0, 10).Draw(t, "max items"),
			MaxPayout: rapid.Int64Range(0, 20_000_000).Draw(t, "max payout"),
			Max24h:    rapid.Int64Range(0, 20_000_000).Draw(t, "max 24h"),
		}
		spent := rapid.Int64Range(0, 20_000_000).Draw(t, "spent")

		items, left := Choose(candidates, policy, spent)
		if len(items) > 0 {
			if err := policy.orDefaults().caps(total(items), len(items), spent); err != nil {
				t.Fatalf("the choice breaks the caps: %v", err)
			}
		}

		owed := 0
		for _, c := range candidates {
			if c.Payable > 0 {
				owed++
			}
		}
		if len(items)+len(left) != owed {
			t.Fatalf("%d items and %d left, want %d together", len(items), len(left), owed)
		}
		for _, i := range items {
			c := candidates[i.Account-1]
			if i.Amount != c.Payable || c.Hold || i.Amount < policy.MinPayout || i.Amount < c.MinPayout {
				t.Fatalf("item %+v of candidate %+v", i, c)
			}
		}

		again, _ := Choose(rapid.Permutation(candidates).Draw(t, "order"), policy, spent)
		if diff := cmp.Diff(items, again); diff != "" {
			t.Fatalf("the order of the candidates matters:\n%s", diff)
		}
	})
}

func TestFeeCap(t *testing.T) {
	p := Policy{FeeCap: 20_000, FeeCapBps: 500}
	for total, want := range map[int64]int64{0: 20_000, 400_000: 20_000, 400_020: 20_001, 1_000_000: 50_000, 21e14: 105e12} {
		if got := p.feeCap(total); got != want {
			t.Errorf("feeCap(%d) = %d, want %d", total, got, want)
		}
	}
}

func TestCaps(t *testing.T) {
	p := Policy{MaxItems: 2, MaxPayout: 1000, Max24h: 1500}
	tests := []struct {
		total, spent int64
		items        int
		ok           bool
	}{
		{1000, 500, 2, true},
		{1000, 500, 3, false},
		{1001, 0, 1, false},
		{1000, 501, 1, false},
		{1, 1500, 1, false},
	}
	for _, tt := range tests {
		err := p.caps(tt.total, tt.items, tt.spent)
		if ok := err == nil; ok != tt.ok || !ok && !errors.Is(err, ErrCap) {
			t.Errorf("caps(%d, %d, %d) = %v, want ok %v", tt.total, tt.items, tt.spent, err, tt.ok)
		}
	}
}

func TestFeeRate(t *testing.T) {
	good := map[string]int64{"1": 1000, "4.1": 4100, "0.1": 100, "12.345": 12345, "1000": 1_000_000, "1.000": 1000, "2.": 2000}
	for s, want := range good {
		got, err := parseFeeRate(s)
		if err != nil || got != want {
			t.Errorf("parseFeeRate(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "0", "0.0", "0.099", "1000.001", "-1", "+1", "1e3", "1,5", "1.2345", ".5", "99999999999999999999", "nan"} {
		if got, err := parseFeeRate(s); err == nil {
			t.Errorf("parseFeeRate(%q) = %d, want an error", s, got)
		}
	}

	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(minFeeRate, maxFeeRate).Draw(t, "rate")
		if got, err := parseFeeRate(formatFeeRate(rate)); err != nil || got != rate {
			t.Fatalf("parseFeeRate(%q) = %d, %v, want %d", formatFeeRate(rate), got, err, rate)
		}
	})
}

func samplePlan() Plan {
	return Plan{
		Payout: 3, Rev: 2,
		Items: []Item{
			{Account: 1, Script: script(1), Amount: 1000},
			{Account: 2, Script: script(2), Amount: 2000},
		},
		Inputs: []Input{
			{OutPoint: wire.OutPoint{Hash: [32]byte{1}, Index: 1}, Amount: 3000, Script: script(8)},
			{OutPoint: wire.OutPoint{Hash: [32]byte{1}, Index: 0}, Amount: 4000, Script: script(9)},
		},
		ChangeScript: script(10), Change: 3900,
		Fee: 100, FeeCap: 500,
		TxID: [32]byte{7},
	}
}

func TestDigestChangesWithAnyChange(t *testing.T) {
	digest := samplePlan().Digest()
	seen := map[[32]byte]string{digest: "the plan itself"}

	changes := map[string]func(p *Plan){
		"payout":          func(p *Plan) { p.Payout++ },
		"revision":        func(p *Plan) { p.Rev++ },
		"an amount":       func(p *Plan) { p.Items[0].Amount++ },
		"a script":        func(p *Plan) { p.Items[0].Script = script(3) },
		"amounts swapped": func(p *Plan) { p.Items[0].Amount, p.Items[1].Amount = p.Items[1].Amount, p.Items[0].Amount },
		"item dropped":    func(p *Plan) { p.Items = p.Items[:1] },
		"item added":      func(p *Plan) { p.Items = append(p.Items, Item{Script: script(4), Amount: 1}) },
		"input amount":    func(p *Plan) { p.Inputs[0].Amount++ },
		"input index":     func(p *Plan) { p.Inputs[0].OutPoint.Index++ },
		"input tx":        func(p *Plan) { p.Inputs[0].OutPoint.Hash[31]++ },
		"input dropped":   func(p *Plan) { p.Inputs = p.Inputs[1:] },
		"change script":   func(p *Plan) { p.ChangeScript = script(11) },
		"no change":       func(p *Plan) { p.ChangeScript = nil },
		"change":          func(p *Plan) { p.Change++ },
		"fee":             func(p *Plan) { p.Fee++ },
		"fee cap":         func(p *Plan) { p.FeeCap++ },
		"txid":            func(p *Plan) { p.TxID[0]++ },
	}
	for name, change := range changes {
		p := samplePlan()
		change(&p)
		if other, twice := seen[p.Digest()]; twice {
			t.Errorf("%s: same digest as %s", name, other)
		}
		seen[p.Digest()] = name
	}

	p := samplePlan()
	slices.Reverse(p.Items)
	slices.Reverse(p.Inputs)
	if p.Digest() != digest {
		t.Error("the digest depends on the order of items or inputs")
	}
}

func TestStates(t *testing.T) {
	all := []State{"", Draft, Pending, Approved, Signed, Broadcast, Cancelling, Confirmed, Settled, Cancelled, Expired, Failed}
	want := map[State][]State{
		"":         {Draft},
		Draft:      {Pending, Cancelled},
		Pending:    {Approved, Cancelled, Expired},
		Approved:   {Signed, Cancelling, Cancelled, Expired},
		Signed:     {Broadcast, Cancelling, Confirmed, Failed},
		Broadcast:  {Cancelling, Confirmed, Failed},
		Cancelling: {Confirmed, Cancelled, Failed},
		Confirmed:  {Broadcast, Settled},
		Settled:    {Broadcast},
		Cancelled:  {Cancelling},
		Failed:     {Broadcast},
	}
	for _, from := range all {
		var got []State
		for _, to := range all {
			if from.CanBecome(to) {
				got = append(got, to)
			}
		}
		if diff := cmp.Diff(want[from], got); diff != "" {
			t.Errorf("%q can become (-want +got):\n%s", from, diff)
		}
		for _, to := range got {
			over := to == Failed || from == Cancelling && to == Cancelled
			if from.MayBeSigned() && !to.MayBeSigned() && !over {
				t.Errorf("%q becomes %q although a signature may exist", from, to)
			}
		}
	}
}
