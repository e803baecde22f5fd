package pool

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Settings are the rules of the pool that the operator chooses. They apply to
// the next job; a found block keeps the rules under which it was found.
type Settings struct {
	Name            string  `json:"name"`              // shown on the pages and in the coinbase, 1 to 32 bytes
	Settlement      string  `json:"settlement"`        // how a block pays: "ledger"
	FeeBps          int64   `json:"fee_bps"`           // pool fee of the gross block value, in 1/10000
	DonationBps     int64   `json:"donation_bps"`      // donation of the gross block value, in 1/10000
	WindowMilli     int64   `json:"window_milli"`      // PPLNS window in 1/1000 of the network's work per block
	Underfill       string  `json:"underfill"`         // "scale" or "hold": what a window that is not full does
	MinPayoutSat    int64   `json:"min_payout_sat"`    // smallest amount that a payout sends, in satoshis
	StartDifficulty float64 `json:"start_difficulty"`  // 0: by the miner's user agent
	MinDifficulty   float64 `json:"min_difficulty"`    // floor of vardiff
	MaxDifficulty   float64 `json:"max_difficulty"`    // ceiling of vardiff, 0: none
	PayoutEvery     int64   `json:"payout_every_secs"` // how often a payout is drafted by rule, in seconds
	PayoutFeeRate   string  `json:"payout_fee_rate"`   // sat/vB as a decimal; empty: the node's estimate
}

// DefaultSettings are the rules of a new pool: no fee, no donation, a window of
// two blocks' work that pays out fully while it fills.
func DefaultSettings(network string) Settings {
	s := Settings{
		Name:          "DMPool",
		Settlement:    "ledger",
		WindowMilli:   2000,
		Underfill:     "scale",
		MinPayoutSat:  100_000,
		MinDifficulty: 1e-5,
		PayoutEvery:   24 * 3600,
	}
	if network == "practice" || network == "regtest" {
		// These chains have no fee market for the node to estimate from, and
		// nobody wants to wait a day to see a practice payout.
		s.PayoutFeeRate = "2"
		s.PayoutEvery = 30
	}
	return s
}

// Terms returns the part of the settings that is frozen with a found block.
func (s Settings) Terms() ledger.Terms {
	return ledger.Terms{
		Settlement:  s.Settlement,
		FeeBps:      s.FeeBps,
		DonationBps: s.DonationBps,
		WindowMilli: s.WindowMilli,
		Underfill:   s.Underfill,
	}
}

// Validate returns nil, or an error that joins one sentence for each setting
// that is out of its bounds.
func (s Settings) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if n := len(s.Name); n < 1 || n > 32 || !utf8.ValidString(s.Name) {
		refuse("pool name has %d bytes; give it 1 to 32", n)
	}
	if s.Settlement != "ledger" {
		refuse("settlement %q is not available; this version settles by \"ledger\"", s.Settlement)
	}
	if err := s.Terms().Validate(); err != nil {
		errs = append(errs, err)
	}
	if s.MinPayoutSat < 1000 {
		refuse("minimum payout of %d sat is below 1000 sat, which costs more to spend than it is worth", s.MinPayoutSat)
	}
	if s.MinDifficulty < 1e-5 {
		refuse("minimum difficulty %g is below 0.00001", s.MinDifficulty)
	}
	if s.MaxDifficulty != 0 && s.MaxDifficulty < s.MinDifficulty {
		refuse("maximum difficulty %g is below the minimum difficulty %g", s.MaxDifficulty, s.MinDifficulty)
	}
	if s.StartDifficulty != 0 && s.StartDifficulty < s.MinDifficulty {
		refuse("start difficulty %g is below the minimum difficulty %g", s.StartDifficulty, s.MinDifficulty)
	}
	if s.PayoutEvery < 10 || s.PayoutEvery > 366*24*3600 {
		refuse("payouts cannot be drafted every %d seconds; take 10 seconds to a year", s.PayoutEvery)
	}
	return errors.Join(errs...)
}
