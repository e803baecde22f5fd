package webui

import (
	"fmt"
	"html/template"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// functions are what templates may call. Those that return template.HTML
// build it from numbers and constants only, never from text of strangers.
func functions(a assets) template.FuncMap {
	return template.FuncMap{
		"static":  a.url,
		"rate":    rateHTML,
		"diff":    difficultyHTML,
		"sats":    satsHTML,
		"hashes":  hashesHTML,
		"exact":   exactHTML,
		"num":     numberOf,
		"percent": percent,
		"when":    whenHTML,
		"ago":     agoHTML,
		"clock":   clockHTML,
		"span":    span,
		"odds":    chance,
		"short":   short,
		"qr":      qrOf,
		"known":   known,
		"ref":     func(v float64) *float64 { return &v },
		"deref":   func(v *int) int { return *v },
	}
}

// nothing is shown where a value is not known: an invented 0 would be a lie.
const nothing = template.HTML(`<span class="none">no data</span>`)

// nnbsp groups digits without letting a line break between them.
const nnbsp = "\u202f"

// significant writes v with three significant digits and never an exponent.
// Below 1 it drops zeroes at the end: 0.5, not 0.500.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	mantissa := strconv.FormatFloat(v, 'e', 2, 64) // "1.21e+12", rounded once and for all
	_, digits, _ := strings.Cut(mantissa, "e")
	exponent, _ := strconv.Atoi(digits)
	v, _ = strconv.ParseFloat(mantissa, 64)
	text := strconv.FormatFloat(v, 'f', max(0, 2-exponent), 64)
	if exponent < 0 {
		text = strings.TrimRight(text, "0")
	}
	return text
}

// scaled writes v with three significant digits and an SI prefix.
func scaled(v float64) (digits, prefix string) {
	prefixes := []string{"", "k", "M", "G", "T", "P", "E", "Z"}
	i := 0
	for i < len(prefixes)-1 && math.Abs(v) >= 999.5 {
		v /= 1000
		i++
	}
	if v > 0.9 && v < 1 && i > 0 { // 999.5 and its like are 1.00 of the next prefix
		v = 1
	}
	return significant(v), prefixes[i]
}

func known(v *float64) bool { return v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) && *v >= 0 }

// hashrate is "1.21 TH/s"; v is in hashes per second.
func hashrate(v *float64) string {
	if !known(v) {
		return "no data"
	}
	digits, prefix := scaled(*v)
	return digits + " " + prefix + "H/s"
}

func rateHTML(v *float64) template.HTML {
	if !known(v) {
		return nothing
	}
	digits, prefix := scaled(*v)
	return template.HTML(fmt.Sprintf(`<data value="%.0f" title="%s H/s">%s<span class="unit"> %sH/s</span></data>`,
		*v, number(int64(*v)), digits, prefix))
}

func difficultyHTML(v *float64) template.HTML {
	if !known(v) {
		return nothing
	}
	digits, prefix := scaled(*v)
	if prefix != "" {
		prefix = `<span class="unit"> ` + prefix + `</span>`
	}
	return template.HTML(fmt.Sprintf(`<data value="%s">%s%s</data>`, strconv.FormatFloat(*v, 'g', 8, 64), digits, prefix))
}

// hashesHTML writes work, a number of expected hashes that may not fit into 64
// bits, with all its digits in the title.
func hashesHTML(n *big.Int) template.HTML {
	if n == nil {
		return nothing
	}
	v, _ := new(big.Float).SetInt(n).Float64()
	digits, prefix := scaled(v)
	return template.HTML(fmt.Sprintf(`<data value="%s" title="%s hashes">%s<span class="unit"> %s hashes</span></data>`,
		n, grouped(n.String()), digits, prefix))
}

// satsText writes an amount: below a million satoshis as such, from there on
// in bitcoin with the decimals in groups, "0.012 345 67 BTC".
func satsText(v int64) string {
	if v > -1_000_000 && v < 1_000_000 {
		return number(v) + " sats"
	}
	return bitcoin(v) + " BTC"
}

// bitcoin writes satoshis as a decimal number of bitcoin, exactly.
func bitcoin(v int64) string {
	sign, abs := "", uint64(v)
	if v < 0 {
		sign, abs = "−", -uint64(v)
	}
	frac := fmt.Sprintf("%08d", abs%1e8)
	return sign + grouped(strconv.FormatUint(abs/1e8, 10)) + "." + frac[:3] + nnbsp + frac[3:6] + nnbsp + frac[6:]
}

// satsHTML takes int64 or *int64 (nil: not known).
func satsHTML(v any) template.HTML {
	n, ok := amount(v)
	if !ok {
		return nothing
	}
	text := satsText(n)
	digits, unit, _ := strings.Cut(text, " ")
	return template.HTML(fmt.Sprintf(`<data value="%d" title="%s sats">%s<span class="unit"> %s</span></data>`,
		n, number(n), digits, unit))
}

// exactHTML always shows whole satoshis, where money is decided about.
func exactHTML(v any) template.HTML {
	n, ok := amount(v)
	if !ok {
		return nothing
	}
	return template.HTML(fmt.Sprintf(`<data value="%d">%s<span class="unit"> sats</span></data>`, n, number(n)))
}

func amount(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case *int64:
		if n != nil {
			return *n, true
		}
	}
	return 0, false
}

// number writes an integer with thousands in groups, "45,210".
func number[T ~int | ~int32 | ~int64](v T) string {
	if v < 0 {
		return "−" + grouped(strconv.FormatUint(-uint64(v), 10))
	}
	return grouped(strconv.FormatInt(int64(v), 10))
}

// numberOf is number for templates, which hold integers of several sizes.
func numberOf(v any) (string, error) {
	switch n := v.(type) {
	case int:
		return number(n), nil
	case int32:
		return number(n), nil
	case int64:
		return number(n), nil
	}
	return "", fmt.Errorf("%T is not an integer", v)
}

func grouped(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// percent writes a fraction, "19.6 %".
func percent(v *float64) template.HTML {
	if !known(v) {
		return nothing
	}
	if *v > 0 && *v < 0.000_005 {
		return `below 0.001<span class="unit"> %</span>`
	}
	return template.HTML(significant(*v*100) + `<span class="unit"> %</span>`)
}

// span writes a length of time in its largest sensible unit, "4 min".
func span(d time.Duration) string { return spanSeconds(d.Seconds()) }

func spanSeconds(s float64) string {
	switch {
	case s < 0 || math.IsNaN(s):
		return "no data"
	case s < 1:
		return "less than 1 s"
	case s < 100:
		return fmt.Sprintf("%.0f s", s)
	case s < 100*60:
		return fmt.Sprintf("%.0f min", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%.0f h", s/3600)
	case s < 1000*86400:
		return fmt.Sprintf("%.0f days", s/86400)
	case s < never:
		return approximate(s/(365.25*86400)) + " years"
	}
	return "longer than any age"
}

// never is a time beyond which a number of years means nothing, in seconds.
const never = 1e12 * 365.25 * 86400

// approximate writes a large number with three significant digits, "606,000".
func approximate(v float64) string {
	if v < 100 {
		return significant(v)
	}
	scale := math.Pow10(int(math.Floor(math.Log10(v))) - 2)
	return grouped(strconv.FormatFloat(math.Round(v/scale)*scale, 'f', 0, 64))
}

// luck is how long a block takes on average, in seconds; nil when the hash
// rate or the network difficulty is not known.
type luck struct{ Expected *float64 }

// newLuck computes D·2^32/h.
func newLuck(difficulty, hashesPerSecond *float64) luck {
	if !known(difficulty) || !known(hashesPerSecond) || *hashesPerSecond == 0 {
		return luck{}
	}
	return luck{Expected: new(*difficulty * (1 << 32) / *hashesPerSecond)}
}

// Time is the expected time to a block in words.
func (l luck) Time() string {
	if l.Expected == nil {
		return "no data"
	}
	return spanSeconds(*l.Expected)
}

// chance says how likely a block is within a day: "1 in 606,000 per day", or
// the expected number when it is more than one.
func chance(l luck) string {
	if l.Expected == nil || *l.Expected <= 0 {
		return "no data"
	}
	if *l.Expected >= never {
		return "next to none"
	}
	perDay := 86400 / *l.Expected
	if perDay >= 1 {
		return "about " + approximate(perDay) + " a day"
	}
	return "1 in " + approximate(1/-math.Expm1(-perDay)) + " per day"
}

// short shows the two ends of an address or a hash; the title has it all.
func short(s string) string {
	const head, tail = 8, 8
	if len(s) <= head+tail+1 {
		return s
	}
	return s[:head] + "…" + s[len(s)-tail:]
}

// Times are sent in UTC; the script shows them in the reader's own zone.

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func whenHTML(t time.Time) template.HTML {
	if t.IsZero() {
		return nothing
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-show="full">%s</time>`, stamp(t), t.UTC().Format("2 Jan 2006, 15:04 UTC")))
}

func clockHTML(t time.Time) template.HTML {
	if t.IsZero() {
		return nothing
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-show="clock">%s</time>`, stamp(t), t.UTC().Format("15:04:05")))
}

// agoHTML says how long ago t was, with the absolute time beside it.
func agoHTML(now, t time.Time) template.HTML {
	if t.IsZero() {
		return nothing
	}
	absolute, show := t.UTC().Format("15:04:05"), "clock"
	if now.Sub(t) > 20*time.Hour {
		absolute, show = t.UTC().Format("2 Jan, 15:04"), "day"
	}
	words := "just now"
	if d := now.Sub(t); d >= time.Second {
		words = span(d) + " ago"
	}
	if t.Sub(now) >= time.Second {
		words = "in " + span(t.Sub(now))
	}
	return template.HTML(fmt.Sprintf(
		`<span class="ago"><time datetime="%[1]s" data-show="ago">%[2]s</time> <time class="at" datetime="%[1]s" data-show="%[3]s">%[4]s</time></span>`,
		stamp(t), words, show, absolute))
}
