package pool

import "fmt"

// PayoutRules are the bounds within which the operator wants payouts to be made.
// Every payout is compared with them when it is drafted, when it is approved and
// again before it is signed. There is always a cap: a mistake, or somebody at the
// operator's desk, can cost one cap a day at most.
type PayoutRules struct {
	PayoutFeePolicy string `json:"payout_fee_policy"` // who bears the network fee: "pool" or "miners"
	MaxPayoutSat    int64  `json:"max_payout_sat"`    // highest total of one payout, in satoshis
	Max24hSat       int64  `json:"max_24h_sat"`       // highest total approved within 24 hours, in satoshis
	MaxFeeSat       int64  `json:"max_fee_sat"`       // a payout's network fee is at most this, in satoshis …
	MaxFeeBps       int64  `json:"max_fee_bps"`       // … or this part of its total, in 1/10000, whichever is more
	MaxPayoutItems  int    `json:"max_payout_items"`  // accounts that one transaction pays

	SecondFactorToSend bool `json:"second_factor_to_send"` // who approves, signs or sends has a second factor

	SecondPersonAboveSat int64 `json:"second_person_above_sat"` // above this total two people approve, 0: never
	AutoApproveBelowSat  int64 `json:"auto_approve_below_sat"`  // below this total nobody has to approve, 0: somebody always has to
	AutoApproveDailySat  int64 `json:"auto_approve_daily_sat"`  // total of what nobody approved, within 24 hours
}

const (
	coin     = 100_000_000       // satoshis
	allCoins = 21_000_000 * coin // that there will ever be
)

// defaultPayoutRules let one whole block be paid at once, even to a single
// miner, and two in a day: since 2024 a block is worth 3.125 coins and its fees,
// and a home pool finds one in months or years. Coins that are worth nothing need
// no caps and no second factor, and on a private chain a block comes every few seconds.
func defaultPayoutRules(network string) PayoutRules {
	r := PayoutRules{
		PayoutFeePolicy: "pool",
		MaxPayoutSat:    5 * coin,
		Max24hSat:       10 * coin,
		MaxFeeSat:       20_000,
		MaxFeeBps:       500,
		MaxPayoutItems:  200,

		SecondFactorToSend: network == "main",
	}
	if network != "main" {
		r.MaxPayoutSat, r.Max24hSat = allCoins, allCoins
	}
	return r
}

// Raised names, in words for the operator, the bounds that are wider in r than
// before. To widen one is what somebody would do first who wants to empty the
// wallet, so it takes the password again.
func (r PayoutRules) Raised(before PayoutRules) []string {
	var names []string
	raised := func(is bool, name string) {
		if is {
			names = append(names, name)
		}
	}
	// Zero asks nobody for a second approval: that is the highest threshold.
	threshold := func(sat int64) int64 {
		if sat == 0 {
			return allCoins
		}
		return sat
	}
	raised(r.MaxPayoutSat > before.MaxPayoutSat, "the most that one payout pays")
	raised(r.Max24hSat > before.Max24hSat, "the most within 24 hours")
	raised(r.MaxFeeSat > before.MaxFeeSat || r.MaxFeeBps > before.MaxFeeBps, "the highest network fee")
	raised(r.MaxPayoutItems > before.MaxPayoutItems, "the number of recipients")
	raised(threshold(r.SecondPersonAboveSat) > threshold(before.SecondPersonAboveSat), "the total above which a second person approves")
	raised(r.AutoApproveBelowSat > before.AutoApproveBelowSat, "the total below which nobody approves")
	raised(before.SecondFactorToSend && !r.SecondFactorToSend, "who may send without a second factor")
	raised(r.AutoApproveDailySat > before.AutoApproveDailySat, "what nobody approves within 24 hours")
	return names
}

// validatePayouts returns a sentence for each bound that does not do.
func (r PayoutRules) validatePayouts(minPayout int64) (errs []error) {
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if r.PayoutFeePolicy != "pool" && r.PayoutFeePolicy != "miners" {
		refuse("network fee policy %q is not known; take \"pool\" or \"miners\"", r.PayoutFeePolicy)
	}
	if r.MaxPayoutSat < minPayout || r.MaxPayoutSat > allCoins {
		refuse("a payout cannot be limited to %d sat; take the minimum payout of %d sat up to %d sat", r.MaxPayoutSat, minPayout, int64(allCoins))
	}
	if r.Max24hSat < r.MaxPayoutSat || r.Max24hSat > allCoins {
		refuse("payouts within 24 hours cannot be limited to %d sat, one payout may have %d sat", r.Max24hSat, r.MaxPayoutSat)
	}
	if r.MaxFeeSat < 1000 || r.MaxFeeSat > coin {
		refuse("the network fee of a payout cannot be limited to %d sat; take 1000 sat to %d sat", r.MaxFeeSat, int64(coin))
	}
	if r.MaxFeeBps < 1 || r.MaxFeeBps > 2000 {
		refuse("the network fee cannot be limited to %d/10000 of a payout; take 1 to 2000", r.MaxFeeBps)
	}
	if r.MaxPayoutItems < 1 || r.MaxPayoutItems > 1000 {
		refuse("one payout cannot have %d recipients at most; take 1 to 1000", r.MaxPayoutItems)
	}
	if r.SecondPersonAboveSat < 0 || r.SecondPersonAboveSat > allCoins {
		refuse("a second person cannot be asked above %d sat; take 0 for never", r.SecondPersonAboveSat)
	}
	if r.AutoApproveBelowSat < 0 || r.AutoApproveBelowSat > r.MaxPayoutSat {
		refuse("approving by rule below %d sat is more than one payout may have", r.AutoApproveBelowSat)
	}
	if r.SecondPersonAboveSat > 0 && r.AutoApproveBelowSat > r.SecondPersonAboveSat {
		refuse("payouts of %d sat cannot need nobody while those above %d sat need two people", r.AutoApproveBelowSat, r.SecondPersonAboveSat)
	}
	if (r.AutoApproveBelowSat > 0) != (r.AutoApproveDailySat > 0) || r.AutoApproveDailySat < 0 || r.AutoApproveDailySat > r.Max24hSat {
		refuse("approving by rule takes a limit for one payout and one for 24 hours, the latter up to %d sat; %d and %d sat are not", r.Max24hSat, r.AutoApproveBelowSat, r.AutoApproveDailySat)
	}
	return errs
}
