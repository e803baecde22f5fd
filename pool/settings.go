package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Settings are the rules of the pool that the operator chooses. They apply to
// the next job; a found block keeps the rules under which it was found.
type Settings struct {
	Name            string  `json:"name"`              // shown on the pages and in the coinbase, 1 to 32 bytes
	Settlement      string  `json:"settlement"`        // how a block pays: "ledger", "direct" or "solo"
	MinOutputSat    int64   `json:"min_output_sat"`    // smallest amount that a coinbase pays to a miner by itself, in satoshis
	FeeBps          int64   `json:"fee_bps"`           // pool fee of the gross block value, in 1/10000
	DonationBps     int64   `json:"donation_bps"`      // donation of the gross block value, in 1/10000
	WindowMilli     int64   `json:"window_milli"`      // PPLNS window in 1/1000 of the network's work per block
	Underfill       string  `json:"underfill"`         // "scale" or "hold": what a window that is not full does
	MinPayoutSat    int64   `json:"min_payout_sat"`    // smallest amount that a payout sends, in satoshis
	StartDifficulty float64 `json:"start_difficulty"`  // 0: by the miner's user agent
	MinDifficulty   float64 `json:"min_difficulty"`    // floor of vardiff
	MaxDifficulty   float64 `json:"max_difficulty"`    // ceiling of vardiff, 0: none
	SmallPort       int     `json:"small_port"`        // extra port for the smallest devices (ESP32), 0: none
	HighPort        int     `json:"high_port"`         // extra port for rentals and proxies, 0: none
	TLSPort         int     `json:"tls_port"`          // extra port with TLS, 0: none
	MaxSessions     int     `json:"max_sessions"`      // connections of miners at a time
	MaxPerAddress   int     `json:"max_per_address"`   // of these from one public address
	SubmitRate      float64 `json:"submit_rate"`       // shares per second that a worker may send for long
	WorklessSecs    int64   `json:"workless_secs"`     // a connection without a single share ends after this time, in seconds; 0: never
	TrustedProxies  string  `json:"trusted_proxies"`   // networks (CIDR, separated by commas) whose connections begin with a PROXY header
	PayoutEvery     int64   `json:"payout_every_secs"` // how often a payout is drafted by rule, in seconds; 0: by hand only
	PayoutFeeRate   string  `json:"payout_fee_rate"`   // sat/vB as a decimal; empty: the node's estimate
	PublicAPICORS   bool    `json:"public_api_cors"`   // scripts of any web site may read the public API
	CompatibleAPI   bool    `json:"compatible_api"`    // the public API also answers in the shapes of public-pool and ckpool
	WindowRules             // who may open the pages, and how they look
	PayoutRules             // within which bounds payouts are made
}

// DefaultSettings are the rules of a new pool: no fee, no donation, a window of
// two blocks' work that pays out fully while it fills.
func DefaultSettings(network string) Settings {
	s := Settings{
		Name:          "DMPool",
		Settlement:    ledger.SettlementLedger,
		MinOutputSat:  10_000,
		WindowMilli:   2000,
		Underfill:     "scale",
		MinPayoutSat:  100_000,
		MinDifficulty: 1e-5,
		MaxSessions:   1024,
		MaxPerAddress: 64,
		SubmitRate:    200,
		PayoutEvery:   24 * 3600,
		CompatibleAPI: true,
		WindowRules:   defaultWindowRules(),
		PayoutRules:   defaultPayoutRules(network),
	}
	if network == "practice" || network == "regtest" {
		// These chains have no fee market for the node to estimate from, and
		// nobody wants to wait a day to see a practice payout.
		s.PayoutFeeRate = "2"
		s.PayoutEvery = 30
	}
	return s
}

// dust is the amount in satoshis below which nodes relay no output of any kind of
// address.
const dust = 546

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

// NeedsWallet tells whether blocks pay anything to the pool's wallet. Where each
// miner's block pays that miner and the pool keeps nothing of it, they do not.
func (s Settings) NeedsWallet() bool {
	return s.Settlement != ledger.SettlementSolo || s.FeeBps > 0 || s.DonationBps > 0
}

// Validate returns nil, or an error that joins one sentence for each setting
// that is out of its bounds.
func (s Settings) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if n := len(s.Name); n < 1 || n > 32 || !utf8.ValidString(s.Name) {
		refuse("pool name has %d bytes; give it 1 to 32", n)
	}
	if err := s.Terms().Validate(); err != nil {
		errs = append(errs, err)
	}
	if s.MinOutputSat < dust || s.MinOutputSat > 100_000_000 {
		refuse("smallest output of a block is %d sat; it must be between %d, below which no node relays it, and 100000000 (1 BTC)", s.MinOutputSat, dust)
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
	if s.PayoutEvery != 0 && s.PayoutEvery < 10 || s.PayoutEvery > 366*24*3600 {
		refuse("payouts cannot be drafted every %d seconds; take 10 seconds to a year, or 0 for by hand", s.PayoutEvery)
	}
	errs = append(errs, s.validatePayouts(s.MinPayoutSat)...)
	errs = append(errs, s.validateMiners()...)
	errs = append(errs, s.validateWindow()...)
	return errors.Join(errs...)
}

// trustedProxies reads the setting of that name.
func (s Settings) trustedProxies() (list []netip.Prefix, err error) {
	for field := range strings.FieldsFuncSeq(s.TrustedProxies, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(field)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q is no network; write it as 192.168.1.5/32", field)
		}
		list = append(list, prefix)
	}
	return list, nil
}

// validateMiners checks what concerns the miners' connections.
func (s Settings) validateMiners() (errs []error) {
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	names := map[int]string{}
	for _, e := range s.extraPorts() {
		switch other, taken := names[e.port]; {
		case e.port == 0:
		case e.port < 1 || e.port > 65535:
			refuse("port %d for %s does not exist; choose one from 1 to 65535, or 0 for none", e.port, e.profile.Name)
		case taken:
			refuse("port %d is wanted for both %s and %s", e.port, other, e.profile.Name)
		default:
			names[e.port] = e.profile.Name
		}
	}
	if _, err := s.trustedProxies(); err != nil {
		errs = append(errs, err)
	}
	if s.MaxSessions < 1 || s.MaxSessions > 100_000 {
		refuse("%d connections cannot be the limit; choose 1 to 100000", s.MaxSessions)
	}
	if s.MaxPerAddress < 1 {
		refuse("at least one connection from each address must be allowed")
	}
	if !(s.SubmitRate >= 1) || s.SubmitRate > 1e6 {
		refuse("%g shares per second cannot be the limit; choose 1 to 1000000", s.SubmitRate)
	}
	if s.WorklessSecs != 0 && s.WorklessSecs < 600 {
		refuse("connections without shares cannot end after less than 600 seconds: slow miners need that long")
	}
	return errs
}
