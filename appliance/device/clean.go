package device

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept of a device's words, in characters and in bytes.
const (
	maxText  = 64
	maxShown = 200 // of a pool
	maxKept  = 512
)

// clean makes text that a stranger wrote fit to be shown in one line: what cannot be
// seen, or turns the direction of what follows, is gone.
func clean(text string) string { return cleanTo(text, maxText) }

// Shown is the pool as it may be shown: what a device says may be anything.
func (p Pool) Shown() Pool { return Pool{cleanTo(p.URL, maxShown), cleanTo(p.User, maxShown)} }

func cleanTo(text string, limit int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text))
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit])
	}
	return text
}

// keepable reports whether what a device is told can be written back as it was.
func keepable(text string) bool {
	return len(text) <= maxKept && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) })
}

// within is a figure that a miner can have, else nil: it is not known.
func within(v *float64, least, most float64) *float64 {
	if v == nil || !(*v >= least && *v <= most) {
		return nil
	}
	return v
}

// figures drops what no miner has: more than an exahash, no warmth at all, or the power
// of a whole house. Devices write zero, or minus one, when they have no sensor.
func figures(hashrate, celsius, watts *float64) Figures {
	return Figures{within(hashrate, 0, 1e18), within(celsius, 1, 150), within(watts, 0.1, 20_000)}
}

// times scales a figure.
func times(v *float64, factor float64) *float64 {
	if v == nil {
		return nil
	}
	return new(*v * factor)
}

// largest is the greatest of the figures that are known.
func largest(values ...*float64) (most *float64) {
	for _, v := range values {
		if v != nil && (most == nil || *v > *most) {
			most = v
		}
	}
	return most
}
