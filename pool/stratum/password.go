package stratum

import (
	"math"
	"strconv"
	"strings"
)

// wishes are what a miner asks for about its difficulty; 0 means nothing.
type wishes struct {
	fixed float64 // this and no vardiff
	floor float64 // not below
	start float64 // begin here
}

// parsePassword reads the wishes in a password, which is otherwise of no use:
//
//	d=N, diff=N   fixed difficulty
//	md=N          minimum difficulty
//	th=N          expected terahashes per second, to start at
//
// They stand at the start or after a comma, semicolon, space, tab or bar, in
// any case, with a number that may end in k, M or G. The rest is ignored, and
// so is what makes no sense.
func parsePassword(password string) wishes {
	var w wishes
	for field := range strings.FieldsFuncSeq(password, func(r rune) bool { return strings.ContainsRune(",; \t|", r) }) {
		key, value, _ := strings.Cut(field, "=")
		n, ok := parseSize(value)
		if !ok {
			continue
		}
		switch strings.ToLower(key) {
		case "d", "diff":
			w.fixed = n
		case "md":
			w.floor = n
		case "th":
			w.start = n * 1e12 / sharesPerSecond / hashesPerDifficulty
		}
	}
	return w
}

// parseSize reads a positive number with an optional suffix k, M or G.
func parseSize(text string) (float64, bool) {
	unit := 1.0
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 'k', 'K':
			unit = 1e3
		case 'm', 'M':
			unit = 1e6
		case 'g', 'G':
			unit = 1e9
		}
		if unit != 1 {
			text = text[:n-1]
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n * unit, err == nil && sensible(n*unit)
}

// sensible reports whether d can be a difficulty that somebody means.
func sensible(d float64) bool { return d > 0 && d <= maxWish && !math.IsNaN(d) }

// maxWish is far beyond any network's difficulty.
const maxWish = 1e18
