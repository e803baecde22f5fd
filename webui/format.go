package webui

import (
	"fmt"
	"html/template"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// functions are what templates may call. Those that return template.HTML
// build it from numbers and constants only, never from text of strangers.
func functions(a assets, w *words, icons icons) template.FuncMap {
	return template.FuncMap{
		"icon":     icons.svg,
		"source":   func() string { return sourceURL },
		"t":        w.html,
		"say":      w.say,
		"word":     w.word,
		"badge":    w.badge,
		"maybe":    w.maybe,
		"static":   a.url,
		"rate":     w.rate,
		"diff":     w.diff,
		"sats":     w.sats,
		"hashes":   w.hashes,
		"exact":    w.exact,
		"num":      numberOf,
		"percent":  w.percent,
		"times":    times,
		"measure":  w.measure,
		"when":     w.when,
		"ago":      w.ago,
		"clock":    w.clock,
		"tick":     w.tick,
		"zone":     w.zoneName,
		"explorer": w.explorer,
		"span":     w.span,
		"odds":     w.odds,
		"takes":    w.takes,
		"left":     w.left,
		"short":    short,
		"qr":       qrOf,
		"known":    known,
		"ref":      func(v float64) *float64 { return &v },
		"deref":    func(v *int) int { return *v },
	}
}

// nothing is shown where a value is not known: an invented 0 would be a lie.
func (w *words) nothing() template.HTML {
	return template.HTML(`<span class="none">` + w.must("format.none") + `</span>`)
}

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
func hashrate(v float64) string {
	digits, prefix := scaled(v)
	return digits + " " + prefix + "H/s"
}

func (w *words) rate(v *float64) template.HTML {
	if !known(v) {
		return w.nothing()
	}
	digits, prefix := scaled(*v)
	return template.HTML(fmt.Sprintf(`<data value="%.0f" title="%s H/s">%s<span class="unit"> %sH/s</span></data>`,
		*v, number(int64(*v)), digits, prefix))
}

func (w *words) diff(v *float64) template.HTML {
	if !known(v) {
		return w.nothing()
	}
	digits, prefix := scaled(*v)
	if prefix != "" {
		prefix = `<span class="unit"> ` + prefix + `</span>`
	}
	return template.HTML(fmt.Sprintf(`<data value="%s">%s%s</data>`, strconv.FormatFloat(*v, 'g', 8, 64), digits, prefix))
}

// hashes writes work, a number of expected hashes that may not fit into 64
// bits, with all its digits in the title.
func (w *words) hashes(n *big.Int) template.HTML {
	if n == nil {
		return w.nothing()
	}
	v, _ := new(big.Float).SetInt(n).Float64()
	digits, prefix := scaled(v)
	return template.HTML(fmt.Sprintf(`<data value="%s" title="%s hashes">%s<span class="unit"> %s hashes</span></data>`,
		n, grouped(n.String()), digits, prefix))
}

// satsText writes an amount as the operator wants it: as satoshis, as bitcoin with
// the decimals in groups, "0.012 345 67 BTC", or as satoshis below a million only.
func (w *words) satsText(v int64) string {
	small := v > -1_000_000 && v < 1_000_000
	if how := w.style.rules.Amounts; how == pool.AmountsSats || how == pool.AmountsMixed && small {
		return number(v) + " " + w.must("format.sats")
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

// sats takes int64 or *int64 (nil: not known).
func (w *words) sats(v any) template.HTML {
	n, ok := amount(v)
	if !ok {
		return w.nothing()
	}
	text := w.satsText(n)
	digits, unit, _ := strings.Cut(text, " ")
	return template.HTML(fmt.Sprintf(`<data value="%d" title="%s %s">%s<span class="unit"> %s</span></data>`,
		n, number(n), w.must("format.sats"), digits, unit))
}

// exact always shows whole satoshis, where money is decided about.
func (w *words) exact(v any) template.HTML {
	n, ok := amount(v)
	if !ok {
		return w.nothing()
	}
	return template.HTML(fmt.Sprintf(`<data value="%d">%s<span class="unit"> %s</span></data>`, n, number(n), w.must("format.sats")))
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
func (w *words) percent(v *float64) template.HTML {
	if !known(v) {
		return w.nothing()
	}
	if *v > 0 && *v < 0.000_005 {
		return template.HTML(w.must("format.below_percent"))
	}
	return template.HTML(`<span class="whole">` + significant(*v*100) + `<span class="unit"> %</span></span>`)
}

// times writes how many times as much something is, empty when that is not known.
func times(v *float64) string {
	if !known(v) {
		return ""
	}
	return significant(*v)
}

// span writes a length of time in its largest sensible unit, "4 min".
func (w *words) span(d time.Duration) string { return w.seconds(d.Seconds()) }

func (w *words) seconds(s float64) string {
	whole := func(unit string, n float64) string { return w.must(unit, "n", int64(math.RoundToEven(n))) }
	switch {
	case s < 0 || math.IsNaN(s):
		return w.must("format.none")
	case s < 1:
		return w.must("format.below_second")
	case s < 100:
		return whole("format.seconds", s)
	case s < 100*60:
		return whole("format.minutes", s/60)
	case s < 48*3600:
		return whole("format.hours", s/3600)
	case s < 1000*86400:
		return whole("format.days", s/86400)
	case s < never:
		return w.must("format.years", "n", approximate(s/(365.25*86400)))
	}
	return w.must("format.never")
}

// left writes how long something still takes, between two estimates; empty when
// that is not known.
func (w *words) left(least, most time.Duration) string {
	from, to := w.span(least), w.span(most)
	switch {
	case most <= 0:
		return ""
	case from == to:
		return w.must("format.about", "span", to)
	}
	return w.must("format.between", "least", from, "most", to)
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

// takes is the expected time to a block in words.
func (w *words) takes(l luck) string {
	if l.Expected == nil {
		return w.must("format.none")
	}
	return w.seconds(*l.Expected)
}

// odds says how likely a block is within a day: "1 in 606,000 per day", or the
// expected number when it is more than one.
func (w *words) odds(l luck) string {
	if l.Expected == nil || *l.Expected <= 0 {
		return w.must("format.none")
	}
	if *l.Expected >= never {
		return w.must("format.hopeless")
	}
	perDay := 86400 / *l.Expected
	if perDay >= 1 {
		return w.must("format.per_day", "n", approximate(perDay))
	}
	return w.must("format.odds", "n", approximate(1/-math.Expm1(-perDay)))
}

// short shows the two ends of an address or a hash; the title has it all.
func short(s string) string {
	const head, tail = 8, 8
	if len(s) <= head+tail+1 {
		return s
	}
	return s[:head] + "…" + s[len(s)-tail:]
}

// Times are written in the zone of the settings; the script shows them in the
// reader's own.

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (w *words) when(t time.Time) template.HTML {
	if t.IsZero() {
		return w.nothing()
	}
	return w.time(t, "full", "time.full")
}

func (w *words) clock(t time.Time) template.HTML {
	if t.IsZero() {
		return w.nothing()
	}
	return w.time(t, "clock", "time.clock")
}

// ago says how long ago t was, with the absolute time beside it.
func (w *words) ago(now, t time.Time) template.HTML {
	if t.IsZero() {
		return w.nothing()
	}
	show := "clock"
	if now.Sub(t) > 20*time.Hour {
		show = "day"
	}
	text := w.must("format.now")
	if d := now.Sub(t); d >= time.Second {
		text = w.must("format.ago", "span", w.span(d))
	}
	if t.Sub(now) >= time.Second {
		text = w.must("format.in", "span", w.span(t.Sub(now)))
	}
	return template.HTML(fmt.Sprintf(
		`<span class="ago"><time datetime="%[1]s" data-show="ago">%[2]s</time> <time class="at" datetime="%[1]s" data-show="%[3]s">%[4]s</time></span>`,
		stamp(t), text, show, w.written(t, "time."+show)))
}
