package alert

import (
	"strconv"
	"strings"
	"unicode"
)

// figure writes a number of a rule without needless decimals.
func figure(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// count writes a whole number with its thousands apart: 312,500,000.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// scale writes v with three significant digits and an SI prefix: 1.21T.
func scale(v float64) string {
	const prefixes = " kMGTPEZ"
	i := 0
	for v >= 999.5 && i < len(prefixes)-1 {
		v /= 1000
		i++
	}
	decimals := 2
	switch {
	case v >= 99.95 || v == 0:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', decimals, 64) + " " + prefixes[i:i+1])
}

// hashrate writes hashes per second: 1.21 TH/s.
func hashrate(v float64) string {
	text := scale(v)
	if strings.Contains(text, " ") {
		return text + "H/s"
	}
	return text + " H/s"
}

// plain makes what strangers have written fit to be read in one line: no control
// characters, no marks that turn the direction, and not longer than limit.
func plain(text string, limit int) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case limit == 0:
			return b.String() + "…"
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteRune('\ufffd')
		}
		limit--
	}
	return b.String()
}

// short is an address of which only its ends are told.
func short(address string) string {
	const head, tail = 8, 6
	if len(address) <= head+tail+1 {
		return address
	}
	return address[:head] + "…" + address[len(address)-tail:]
}
