package payout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
)

// ErrCap is wrapped by every refusal that is due to a limit of the [Policy].
var ErrCap = errors.New("over the limit")

// Fee rates are integers in satoshis per 1000 virtual bytes, as the node keeps
// them itself: 4.1 sat/vB is 4100.
const (
	// minFeeRate is the lowest rate that any node relays by default.
	minFeeRate = 100
	// maxFeeRate, 1000 sat/vB, has never been needed; above it is a typo.
	maxFeeRate = 1_000_000
)

// DefaultConfirmationsToSettle is how deep a payout lies before it is booked as
// paid, unless the policy says otherwise.
const DefaultConfirmationsToSettle = 6

// Policy holds the limits within which payouts are made. It is read anew at each
// step, so a change is in force for the next one. Amounts are satoshis. A zero
// field means the default that its comment names.
type Policy struct {
	// MinPayout is the smallest amount worth an output: 100 000. An account may
	// ask for a higher minimum of its own.
	MinPayout int64
	// MaxItems is how many accounts one transaction pays: 200.
	MaxItems int
	// FeeCap and FeeCapBps limit the network fee of one payout to the larger of
	// the amount FeeCap, 20 000, and that many hundredths of a per cent of the
	// total, 500.
	FeeCap    int64
	FeeCapBps int
	// MaxPayout limits the total of one payout; zero is no limit.
	MaxPayout int64
	// Max24h limits what is approved within any 24 hours; zero is no limit.
	Max24h int64
	// FeePolicy says who bears the network fee of new payouts: FeePool.
	FeePolicy FeePolicy
	// SecondPersonAbove is the total above which two people have to approve;
	// zero asks nobody for a second approval.
	SecondPersonAbove int64
	// AutoApproveBelow is the total below which a payout needs no person, as
	// long as AutoApproveDaily is not used up within 24 hours; zero in either
	// leaves every payout to people.
	AutoApproveBelow int64
	AutoApproveDaily int64
	// ConfirmTarget is the number of blocks within which a payout should
	// confirm, for the node's fee estimate: 6.
	ConfirmTarget int
	// FeeRate, when not empty, is used instead of the node's estimate: sat/vB
	// as a decimal with at most three places, such as "4.1".
	FeeRate string
	// ConfirmationsToSettle is how deep a payout lies before it is booked:
	// DefaultConfirmationsToSettle.
	ConfirmationsToSettle int32
	// Expiry is how long a plan waits for its approval, and then for its
	// signature: 24 hours.
	Expiry time.Duration
	// Cold is the address that the pool's own money may be moved to, and ColdScript
	// its script; empty means that none is in force.
	Cold       string
	ColdScript []byte
	// WalletLimit is the most that the wallet should hold; zero is no limit.
	WalletLimit int64
	// NotNow, when not empty, says why nothing new is drafted or approved at the
	// moment; what was approved goes on. It stands behind a colon, without a full stop.
	NotNow string
}

// orDefaults fills in the fields that are zero.
func (p Policy) orDefaults() Policy {
	p.MinPayout = either(p.MinPayout, 100_000)
	p.MaxItems = either(p.MaxItems, 200)
	p.FeeCap = either(p.FeeCap, 20_000)
	p.FeeCapBps = either(p.FeeCapBps, 500)
	p.FeePolicy = either(p.FeePolicy, FeePool)
	p.ConfirmTarget = either(p.ConfirmTarget, 6)
	p.ConfirmationsToSettle = either(p.ConfirmationsToSettle, DefaultConfirmationsToSettle)
	p.Expiry = either(p.Expiry, 24*time.Hour)

	return p
}

// either returns v, or otherwise when v is zero.
func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}

	return v
}

// feeCap is the highest fee in satoshis for a payout of the given total.
func (p Policy) feeCap(total int64) int64 {
	bps := int64(p.FeeCapBps)
	share := total/10_000*bps + total%10_000*bps/10_000

	return max(share, p.FeeCap)
}

// now refuses everything new with an error that wraps ErrNotNow, if the policy does.
func (p Policy) now() error {
	if p.NotNow == "" {
		return nil
	}

	return fmt.Errorf("%w: %s", ErrNotNow, p.NotNow)
}

// caps refuses a payout that is over a limit, with an error that wraps ErrCap.
// spent is the total of all other payouts approved during the last 24 hours.
func (p Policy) caps(total int64, items int, spent int64) error {
	switch {
	case items > p.MaxItems:
		return fmt.Errorf("%w: %d recipients, at most %d fit one payout", ErrCap, items, p.MaxItems)
	case p.MaxPayout > 0 && total > p.MaxPayout:
		return fmt.Errorf("%w: the total of %d sats is more than the %d sats that one payout may have",
			ErrCap, total, p.MaxPayout)
	case p.Max24h > 0 && total > p.Max24h-spent:
		return fmt.Errorf("%w: %d sats would make %d sats within 24 hours, the limit is %d sats",
			ErrCap, total, total+spent, p.Max24h)
	}

	return nil
}

// room is the largest total that caps allows, or -1 when there is no limit.
func (p Policy) room(spent int64) int64 {
	room := int64(-1)
	if p.MaxPayout > 0 {
		room = p.MaxPayout
	}
	if p.Max24h > 0 {
		today := max(p.Max24h-spent, 0)
		if room < 0 || today < room {
			room = today
		}
	}

	return room
}

// approvals is the number of people who have to approve a payout of this total.
func (p Policy) approvals(total int64) int {
	if p.SecondPersonAbove > 0 && total > p.SecondPersonAbove {
		return 2
	}

	return 1
}

// needsNobody reports whether a payout of this total may be approved by rule.
// byRule is the total of those that were within 24 hours.
func (p Policy) needsNobody(total, byRule int64) bool {
	return total < p.AutoApproveBelow && total <= p.AutoApproveDaily-byRule && p.approvals(total) == 1
}

// parseFeeRate reads sat/vB as a decimal and returns satoshis per 1000 vB. It
// refuses what nobody means: nothing, zero, less than is relayed, absurdly much.
func parseFeeRate(s string) (int64, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > 3 || len(whole) > 7 {
		return 0, fmt.Errorf("the fee rate %q is not a number of sat/vB with at most three decimals", s)
	}

	rate, err := strconv.ParseUint(whole+frac+"000"[len(frac):], 10, 63)
	if err != nil || whole == "" {
		return 0, fmt.Errorf("the fee rate %q is not a number of sat/vB with at most three decimals", s)
	}
	if rate < minFeeRate || rate > maxFeeRate {
		return 0, fmt.Errorf("the fee rate of %s sat/vB is outside %s to %s sat/vB",
			s, formatFeeRate(minFeeRate), formatFeeRate(maxFeeRate))
	}

	return int64(rate), nil
}

// formatFeeRate writes satoshis per 1000 vB as sat/vB.
func formatFeeRate(rate int64) string {
	s := fmt.Sprintf("%d.%03d", rate/1000, rate%1000)

	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// dustLimit is the smallest amount in satoshis that nodes relay for an output
// with this script: three times what the output and the input that spends it
// weigh at 1 sat/vB (294 for P2WPKH, 330 for P2TR, 540 for P2SH, 546 for P2PKH).
func dustLimit(script []byte) int64 {
	const amount, scriptLen = 8, 1
	size := int64(amount + scriptLen + len(script))

	if txscript.IsWitnessProgram(script) {
		return 3 * (size + 32 + 4 + 1 + 107/4 + 4)
	}

	return 3 * (size + 32 + 4 + 1 + 107 + 4)
}
