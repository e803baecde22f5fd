package stratum

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// wishPattern is the grammar of a password's wishes once more: a key that
// stands at the start or behind a separator, and what follows its first "=".
var wishPattern = regexp.MustCompile(`(?i)(?:^|[,; \t|])(d|diff|md|th)=([^,; \t|]*)`)

func FuzzParsePassword(f *testing.F) {
	for _, seed := range []string{
		"x", "", "d=5000", "x,d=5000", "D=5k", "password=1", "diff=1.5M;md=2", "th=0.0005|d=1G", "d=", "d==1", "d=-1",
		"d=NaN", "d=Inf", "d=1e400", "d=1e-400", "md=k", "d=5000x", "d=0x10", "\td=1\t", "d=1,d=2", "ä,d=3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, password string) {
		var want wishes
		for _, match := range wishPattern.FindAllStringSubmatch(password, -1) {
			number, unit := match[2], 1.0
			for suffix, value := range map[string]float64{"k": 1e3, "m": 1e6, "g": 1e9} {
				if text := strings.TrimSuffix(strings.ToLower(number), suffix); len(text) < len(number) {
					number, unit = number[:len(text)], value
				}
			}
			n, err := strconv.ParseFloat(number, 64)
			if n *= unit; err != nil || !(n > 0 && n <= maxWish) {
				continue
			}
			switch strings.ToLower(match[1]) {
			case "md":
				want.floor = n
			case "th":
				want.start = n * 1e12 * 4 / (1 << 32)
			default:
				want.fixed = n
			}
		}
		got := parsePassword(password)
		near := func(a, b float64) bool { return a == b || math.Abs(a/b-1) < 1e-9 }
		if !near(got.fixed, want.fixed) || !near(got.floor, want.floor) || !near(got.start, want.start) {
			t.Fatalf("parsePassword(%q) = %+v, want %+v", password, got, want)
		}
	})
}
