package node

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Sats is an amount of satoshis. In JSON it is what bitcoind writes and reads, a decimal number of bitcoins with up to
// eight places, and is converted digit by digit: no float is involved.
type Sats int64

// errAmount is the reason why a JSON value is no amount.
var errAmount = errors.New("not a decimal amount of bitcoins with up to 8 places")

// ParseSats reads a decimal number of bitcoins such as "0.00001234", "-1" or "12.5". Exponents are refused, because
// bitcoind never writes any.
func ParseSats(s string) (Sats, error) {
	n, err := parseFixed(s, 8)
	if err != nil {
		return 0, fmt.Errorf("parse amount: %w", err)
	}

	return Sats(n), nil
}

// String returns the amount in bitcoins with all eight places, such as "1.00000000".
func (s Sats) String() string {
	sign, abs := "", uint64(s)
	if s < 0 {
		sign, abs = "-", -uint64(s)
	}

	return fmt.Sprintf("%s%d.%08d", sign, abs/1e8, abs%1e8)
}

// MarshalJSON writes the amount as a string, which bitcoind accepts everywhere as an amount.
func (s Sats) MarshalJSON() ([]byte, error) {
	return []byte(`"` + s.String() + `"`), nil
}

// UnmarshalJSON reads a number or a string.
func (s *Sats) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}

	n, err := ParseSats(text)
	if err != nil {
		return err
	}
	*s = n

	return nil
}

// parseFixed reads a decimal number with at most places digits after the point and returns it times 10^places.
func parseFixed(s string, places int) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || point && fraction == "" || len(fraction) > places || strings.HasPrefix(whole, "+") {
		return 0, errAmount
	}

	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 63)
	if err != nil || n > math.MaxInt64 {
		return 0, errAmount
	}
	if negative {
		return -int64(n), nil
	}

	return int64(n), nil
}

// parseFeeRate reads a fee rate in sat/vB with up to three places and returns satoshis per 1000 vB, which must be
// positive: a rate of zero once made a transaction that pays no fee and is never mined.
func parseFeeRate(s string) (int64, error) {
	n, err := parseFixed(s, 3)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("fee rate %q is not a positive number of sat/vB with up to 3 places", s)
	}

	return n, nil
}

// formatFeeRate is the inverse of parseFeeRate.
func formatFeeRate(perKvB int64) string {
	return fmt.Sprintf("%d.%03d", perKvB/1000, perKvB%1000)
}
