package node

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSats(t *testing.T) {
	tests := []struct {
		text string
		want Sats
		ok   bool
	}{
		{"0", 0, true},
		{"0.00000000", 0, true},
		{"1.00000000", 1_0000_0000, true},
		{"0.00000001", 1, true},
		{"-0.00000368", -368, true},
		{"0.1", 1000_0000, true},
		{"12.5", 12_5000_0000, true},
		{"20999999.97690000", 2_099_999_997_690_000, true},
		{"92233720368.54775807", math.MaxInt64, true},
		{"92233720368.54775808", 0, false},
		{"0.000000001", 0, false},
		{"1e-8", 0, false},
		{"", 0, false},
		{"-", 0, false},
		{".5", 0, false},
		{"5.", 0, false},
		{"1.2.3", 0, false},
		{"1.-2", 0, false},
		{"--1", 0, false},
		{"+1", 0, false},
		{" 1", 0, false},
		{"1_000", 0, false},
		{"0x10", 0, false},
		{"NaN", 0, false},
		{"null", 0, false},
	}
	for _, test := range tests {
		got, err := ParseSats(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("ParseSats(%q) = %d, %v, want %d", test.text, got, err, test.want)
		}
	}
}

func TestSatsSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Sats(rapid.Int64Min(math.MinInt64+1).Draw(t, "sats"))

		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(text), string(text[1 : len(text)-1])} { // string, number
			var got Sats
			if err := json.Unmarshal([]byte(form), &got); err != nil || got != want {
				t.Fatalf("%s became %d, %v, want %d", form, got, err, want)
			}
		}
	})
}

func FuzzParseSats(f *testing.F) {
	for _, seed := range []string{"0", "1.00000000", "-0.1", "1e5", "9999999999999.99999999", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSats(text)
		if err != nil {
			return
		}
		again, err := ParseSats(n.String())
		if err != nil || again != n {
			t.Errorf("ParseSats(%q) = %d, which reads back as %d, %v", text, n, again, err)
		}
	})
}

func TestFeeRate(t *testing.T) {
	tests := []struct {
		text string
		want int64 // sat per 1000 vB
	}{
		{"1", 1000},
		{"1.000", 1000},
		{"0.1", 100},
		{"12.345", 12345},
		{"0", 0},
		{"0.000", 0},
		{"-1", 0},
		{"1.2345", 0},
		{"fast", 0},
		{"", 0},
	}
	for _, test := range tests {
		got, err := parseFeeRate(test.text)
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("parseFeeRate(%q) = %d, %v, want %d", test.text, got, err, test.want)
		}
	}
	if got := formatFeeRate(12345); got != "12.345" {
		t.Errorf("formatFeeRate(12345) = %q", got)
	}
}
