package webui

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// unit is how a kind of setting is typed and shown. value is always a pointer
// to the setting's field.
type unit struct {
	Input   string   // inputmode of the field
	Suffix  string   // stands behind the field: "%"
	Options []string // to choose from, instead of typing
	write   func(value any) string
	read    func(text string, value any) error
}

// shownValue is a setting as people read it: what they chose among several,
// settings.option.CHOICE, or the text that they typed with its unit.
type shownValue struct{ Choice, Text, Unit string }

func (f field) show(value any) shownValue {
	text := f.unit.write(value)
	if f.unit.Options != nil {
		return shownValue{Choice: f.Key + "_" + text}
	}
	return shownValue{Text: text, Unit: f.unit.Suffix}
}

// plainText is a line of text.
func plainText() unit {
	return unit{
		Input: "text",
		write: func(value any) string { return *value.(*string) },
		read: func(text string, value any) error {
			if !utf8.ValidString(text) {
				return errors.New("this is no text")
			}
			*value.(*string) = strings.TrimSpace(text)
			return nil
		},
	}
}

// decimals is the same for a number that is kept as text, such as a fee rate.
func decimals(suffix string) unit {
	u := plainText()
	u.Input, u.Suffix = "decimal", suffix
	return u
}

// oneOf lets choose between values of a string.
func oneOf(options ...string) unit {
	u := plainText()
	u.Options = options
	read := u.read
	u.read = func(text string, value any) error {
		if !slices.Contains(options, text) {
			return errors.New("choose one of these")
		}
		return read(text, value)
	}
	return u
}

// yesNo lets choose whether something is so.
func yesNo() unit {
	return unit{
		Input: "text", Options: []string{"yes", "no"},
		write: func(value any) string {
			if *value.(*bool) {
				return "yes"
			}
			return "no"
		},
		read: func(text string, value any) error {
			if text != "yes" && text != "no" {
				return errors.New("choose one of these")
			}
			*value.(*bool) = text == "yes"
			return nil
		},
	}
}

// fixed is an integer that is typed as a decimal number with so many places: a
// fee of 150 basis points is "1.5" per cent, with 2. Commas may group the digits.
func fixed(places int, suffix string) unit {
	return unit{
		Input: "decimal", Suffix: suffix,
		write: func(value any) string { return writeFixed(integer(value), places) },
		read: func(text string, value any) error {
			n, err := readFixed(text, places)
			if p, ok := value.(*int); ok {
				*p = int(n)
			} else {
				*value.(*int64) = n
			}
			return err
		},
	}
}

// sats are whole satoshis.
func sats() unit { return fixed(0, "sats") }

// whole is a whole number of something.
func whole(suffix string) unit { return fixed(0, suffix) }

func integer(value any) int64 {
	if n, ok := value.(*int); ok {
		return int64(*n)
	}
	return *value.(*int64)
}

// writeFixed writes n with its last digits as decimals, without zeroes at the end.
func writeFixed(n int64, places int) string {
	sign := ""
	if n < 0 {
		sign = "-"
	}
	digits := fmt.Sprintf("%0*d", places+1, max(n, -n))
	whole, frac := digits[:len(digits)-places], strings.TrimRight(digits[len(digits)-places:], "0")
	if frac != "" {
		frac = "." + frac
	}
	return sign + grouped(whole) + frac
}

// readFixed is the way back.
func readFixed(text string, places int) (int64, error) {
	whole, frac, _ := strings.Cut(ungrouped(text), ".")
	if len(frac) > places {
		if places == 0 {
			return 0, errors.New("type a whole number")
		}
		return 0, fmt.Errorf("type a number with at most %d decimals", places)
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", places-len(frac)), 10, 62)
	if err != nil || whole == "" {
		return 0, errors.New("type a number")
	}
	return int64(n), nil
}

// ungrouped drops what people put between groups of digits. A dot stays: it
// begins the decimals.
func ungrouped(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(",'’_ \u00a0\u2009\u202f", r) {
			return -1
		}
		return r
	}, text)
}

// roughly is a number with decimals that is no money: a rounding error costs
// nobody anything.
func roughly(suffix string) unit {
	return unit{
		Input: "decimal", Suffix: suffix,
		write: func(value any) string { return strconv.FormatFloat(*value.(*float64), 'f', -1, 64) },
		read: func(text string, value any) error {
			v, err := strconv.ParseFloat(ungrouped(text), 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return errors.New("type a number")
			}
			*value.(*float64) = v
			return nil
		},
	}
}

// interval is a number of seconds, typed with the unit that suits it: "24 h".
func interval() unit {
	return unit{
		Input: "text",
		write: func(value any) string { return writeInterval(*value.(*int64)) },
		read: func(text string, value any) (err error) {
			*value.(*int64), err = readInterval(text)
			return err
		},
	}
}

// timeUnits are the names of lengths of time, the longest first.
var timeUnits = []struct {
	name string
	long time.Duration
}{
	{"days", 24 * time.Hour},
	{"h", time.Hour},
	{"min", time.Minute},
	{"s", time.Second},
}

func writeInterval(seconds int64) string {
	for _, u := range timeUnits {
		per := int64(u.long / time.Second)
		if seconds%per != 0 || seconds < per || u.name == "days" && seconds < 2*per {
			continue
		}
		return strconv.FormatInt(seconds/per, 10) + " " + u.name
	}
	return strconv.FormatInt(seconds, 10) + " s"
}

func readInterval(text string) (int64, error) {
	wrong := errors.New("type a number and its unit, such as 30 min, 24 h or 7 days")
	text = strings.TrimSpace(text)
	at := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if at <= 0 {
		return 0, wrong
	}
	n, err := strconv.ParseInt(text[:at], 10, 32)
	if err != nil {
		return 0, wrong
	}
	name := strings.TrimSpace(text[at:])
	for _, u := range timeUnits {
		if name == u.name || u.name == "days" && (name == "d" || name == "day") {
			return n * int64(u.long/time.Second), nil
		}
	}
	return 0, wrong
}
