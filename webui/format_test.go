package webui

import (
	"html/template"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plain is what a reader sees of a piece of HTML.
func plain(h template.HTML) string {
	return strings.ReplaceAll(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(h), ""), nnbsp, " ")
}

func TestHashrate(t *testing.T) {
	for want, v := range map[string]*float64{
		"no data":   nil,
		"0 H/s":     new(0.0),
		"0.5 H/s":   new(0.5),
		"512 H/s":   new(512.0),
		"999 H/s":   new(999.4),
		"1.00 kH/s": new(999.5),
		"78.3 kH/s": new(78_312.0),
		"1.21 TH/s": new(1.2149e12),
		"100 TH/s":  new(99.96e12),
		"1.50 EH/s": new(1.5e18),
		"2300 ZH/s": new(2.3e24),
	} {
		if got := plain(inEnglish.rate(v)); got != want {
			t.Errorf("rate = %q, want %q", got, want)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), -1} {
		if got := plain(inEnglish.rate(&v)); got != "no data" {
			t.Errorf("rate(%v) = %q", v, got)
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, tc := range []struct {
		sats        int64
		text, exact string
	}{
		{0, "0 sats", "0 sats"},
		{45_210, "45,210 sats", "45,210 sats"},
		{999_999, "999,999 sats", "999,999 sats"},
		{1_000_000, "0.010 000 00 BTC", "1,000,000 sats"},
		{1_234_567, "0.012 345 67 BTC", "1,234,567 sats"},
		{-45_210, "−45,210 sats", "−45,210 sats"},
		{-316_600_001, "−3.166 000 01 BTC", "−316,600,001 sats"},
		{21e14, "21,000,000.000 000 00 BTC", "2,100,000,000,000,000 sats"},
		{math.MinInt64, "−92,233,720,368.547 758 08 BTC", "−9,223,372,036,854,775,808 sats"},
	} {
		if got := plain(inEnglish.sats(tc.sats)); got != tc.text {
			t.Errorf("sats %d = %q, want %q", tc.sats, got, tc.text)
		}
		if got := plain(inEnglish.exact(&tc.sats)); got != tc.exact {
			t.Errorf("exact %d = %q, want %q", tc.sats, got, tc.exact)
		}
	}
	if got := plain(inEnglish.sats((*int64)(nil))); got != "no data" {
		t.Errorf("unknown amount = %q", got)
	}
}

// What is shown as an exact amount can be typed back.
func TestTypedSatsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, 21e14).Draw(t, "sats")
		got, ok := typedSats(plain(inEnglish.exact(want)))
		if !ok || got != want {
			t.Fatalf("typedSats(%s) = %d, %v", inEnglish.exact(want), got, ok)
		}
	})
	for _, bad := range []string{"", "sats", "-5", "1e6", "0x10", "12a", "99999999999999999999"} {
		if n, ok := typedSats(bad); ok {
			t.Errorf("typedSats(%q) = %d", bad, n)
		}
	}
}

func TestTimes(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"less than 1 s": 300 * time.Millisecond, "12 s": 12 * time.Second, "4 min": 4 * time.Minute,
		"26 h": 26 * time.Hour, "3 days": 71 * time.Hour,
	} {
		if got := inEnglish.span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	if got := inEnglish.seconds(1660 * 365.25 * 86400); got != "1,660 years" {
		t.Errorf("1660 years = %q", got)
	}
	for want, at := range map[string]time.Time{
		"12 s ago 11:59:55": noon.Add(-12 * time.Second), "in 4 min 12:04:07": noon.Add(4 * time.Minute),
		"just now 12:00:07": noon, "2 days ago 20 Nov, 11:00": noon.Add(-49 * time.Hour), "no data": {},
	} {
		if got := plain(inEnglish.ago(noon, at)); got != want {
			t.Errorf("ago = %q, want %q", got, want)
		}
	}
}

func TestOdds(t *testing.T) {
	for _, tc := range []struct {
		difficulty, rate *float64
		time, chance     string
	}{
		{new(150e12), new(12.3e12), "1,660 years", "1 in 606,000 per day"},
		{new(1.0), new(float64(1 << 32)), "1 s", "about 86,400 a day"},
		{new(86400.0 * 2), new(float64(1 << 32)), "2 days", "1 in 2.54 per day"},
		{nil, new(1e12), "no data", "no data"},
		{new(150e12), nil, "no data", "no data"},
		{new(150e12), new(0.0), "no data", "no data"},
		{new(150e12), new(1e-9), "longer than any age", "next to none"},
	} {
		l := newLuck(tc.difficulty, tc.rate)
		if got := inEnglish.takes(l); got != tc.time {
			t.Errorf("takes = %q, want %q", got, tc.time)
		}
		if got := inEnglish.odds(l); got != tc.chance {
			t.Errorf("odds = %q, want %q", got, tc.chance)
		}
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{"": "", "tb1qshort": "tb1qshort", aliceAddress: "tb1qw508…7kxpjzsx"} {
		if got := short(in); got != want {
			t.Errorf("short(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutKeepsCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(0, 20).Draw(t, "n")
		got := cut(s, n)
		if len(got) > n && len(s) > n || !strings.HasPrefix(s, got) {
			t.Fatalf("cut(%q, %d) = %q", s, n, got)
		}
		if len(got) < len(s) && s[len(got)]&0xc0 == 0x80 {
			t.Fatalf("cut(%q, %d) = %q splits a character", s, n, got)
		}
	})
}
