package work

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Target is the greatest hash that still counts: an unsigned 256-bit integer
// in big-endian bytes, so that two targets compare with bytes.Compare. The
// zero Target is met by the zero hash only, which nobody will ever find.
type Target [32]byte

// The target of difficulty 1 is 0xffff·2^208 ("pdiff").
const (
	unitMantissa = 0xffff
	unitExponent = 208
)

// A share counts down to difficulty·(1 − 3e-5): some firmware computes with a
// difficulty 1 that is 0.0015 % easier, and floats on the miner's side round
// either way.
const (
	slackNumerator   = 99_997
	slackDenominator = 100_000
)

// TargetFromBits expands nBits, the compact target of a block header. It
// returns an error where consensus would refuse the block for it: negative,
// zero, or more than 256 bits.
//
//	nBits  = size (8 bits) | sign (1 bit) | mantissa (23 bits)
//	target = mantissa · 256^(size−3), rounded down
func TargetFromBits(nBits uint32) (Target, error) {
	size := uint(nBits >> 24)
	mantissa := nBits & 0x007fffff
	if size < 3 {
		mantissa >>= 8 * (3 - size)
		size = 3
	}
	if mantissa == 0 {
		return Target{}, fmt.Errorf("expand bits %08x: the target is zero", nBits)
	}
	if nBits&0x00800000 != 0 {
		return Target{}, fmt.Errorf("expand bits %08x: the target is negative", nBits)
	}

	shift := 8 * (size - 3)
	if uint(bits.Len32(mantissa))+shift > 256 {
		return Target{}, fmt.Errorf("expand bits %08x: the target exceeds 256 bits", nBits)
	}

	var t Target
	value := big.NewInt(int64(mantissa))
	value.Lsh(value, shift).FillBytes(t[:])
	return t, nil
}

// TargetFromDifficulty returns floor(0xffff·2^208 / d), computed from the
// exact rational value of d. Difficulties too small for 256 bits give the
// greatest target; those that are no difficulty at all (zero, negative, NaN,
// infinite) give the zero Target.
func TargetFromDifficulty(d float64) Target {
	return divideUnit(d, unitMantissa, 1)
}

// AcceptTarget returns the target at which a share of difficulty d is taken:
// that of d·(1 − 3e-5), with the same rules as TargetFromDifficulty. It
// allocates nothing.
func AcceptTarget(d float64) Target {
	return divideUnit(d, unitMantissa*slackDenominator, slackNumerator)
}

// divideUnit returns floor(numerator·2^208 / (denominator·d)), where numerator
// is between 0xffff·denominator and 2^33.
//
// With d = mantissa·2^exponent this is an integer shifted left, divided by two
// integers of one machine word each. Rounding down twice equals rounding down
// once: floor(floor(a/b)/c) = floor(a/(b·c)).
func divideUnit(d float64, numerator, denominator uint64) Target {
	if !(d > 0) || math.IsInf(d, 1) {
		return Target{}
	}
	fraction, exponent := math.Frexp(d)
	mantissa := uint64(fraction * (1 << 53)) // exact, 2^52 to 2^53-1
	shift := unitExponent + 53 - exponent

	// numerator/denominator is at least 2^15.9 and mantissa below 2^53, so
	// from here on the quotient has more than 256 bits.
	const certainlyTooLarge = 256 + 38
	if shift >= certainlyTooLarge {
		return maxTarget()
	}
	// The quotient is below 1: numerator has 33 bits, mantissa 53.
	if shift < 0 {
		return Target{}
	}

	var limbs [6]uint64 // most significant first
	low := len(limbs) - 1 - shift/64
	limbs[low] = numerator << (shift % 64)
	limbs[low-1] = numerator >> (64 - shift%64)
	for _, divisor := range [...]uint64{denominator, mantissa} {
		var rest uint64
		for i := range limbs {
			limbs[i], rest = bits.Div64(rest, limbs[i], divisor)
		}
	}

	if limbs[0]|limbs[1] != 0 {
		return maxTarget()
	}
	var t Target
	for i, limb := range limbs[2:] {
		binary.BigEndian.PutUint64(t[8*i:], limb)
	}
	return t
}

// maxTarget returns 2^256−1, which every hash meets.
func maxTarget() Target {
	var t Target
	for i := range t {
		t[i] = 0xff
	}
	return t
}

// Work returns floor(2^256 / (t+1)), the number of hashes expected until one
// meets t. It is what Bitcoin Core sums up as chain work.
func (t Target) Work() *big.Int {
	hashes := new(big.Int).Lsh(big.NewInt(1), 256)
	divisor := new(big.Int).SetBytes(t[:])
	return hashes.Quo(hashes, divisor.Add(divisor, big.NewInt(1)))
}

// Difficulty returns 0xffff·2^208 / t rounded down to a float64, so that a
// miner working at that difficulty misses nothing that meets t. It is for
// display and for clamping; the zero Target has infinite difficulty.
func (t Target) Difficulty() float64 {
	if t == (Target{}) {
		return math.Inf(1)
	}
	newFloat := func(x *big.Int) *big.Float {
		return new(big.Float).SetMode(big.ToZero).SetInt(x)
	}
	unit := new(big.Int).Lsh(big.NewInt(unitMantissa), unitExponent)
	quotient := new(big.Float).SetMode(big.ToZero).SetPrec(53)
	quotient.Quo(newFloat(unit), newFloat(new(big.Int).SetBytes(t[:])))
	d, _ := quotient.Float64()
	return d
}

// Meets reports whether hash, read as a little-endian integer, is not greater
// than t.
func (t Target) Meets(hash chainhash.Hash) bool {
	for i, limit := range t {
		if b := hash[len(hash)-1-i]; b != limit {
			return b < limit
		}
	}
	return true
}

// HashDifficulty returns the difficulty that a hash achieved, the number shown
// as a worker's best share. No share is ever weighted by it, so it need not be
// rounded exactly; it is infinite for the hash 0. It allocates nothing.
func HashDifficulty(h chainhash.Hash) float64 {
	// The first 64 significant bits of the hash, and how many follow them.
	top := len(h)
	for top > 0 && h[top-1] == 0 {
		top--
	}
	var first [16]byte // the highest bytes, little-endian
	copy(first[max(0, len(first)-top):], h[max(0, top-len(first)):top])
	high, low := binary.LittleEndian.Uint64(first[8:]), binary.LittleEndian.Uint64(first[:8])
	lead := bits.LeadingZeros64(high)
	significant := high<<lead | low>>(64-lead)
	return math.Ldexp(unitMantissa/float64(significant), unitExponent-(8*top-64-lead))
}

// ShareWork returns the expected number of hashes of a share of difficulty d:
// at least 1, at most math.MaxInt64, and 1 for what is no difficulty (zero,
// negative, NaN, infinite).
func ShareWork(d float64) int64 {
	if !(d > 0) || math.IsInf(d, 1) {
		return 1
	}
	hashes := TargetFromDifficulty(d).Work()
	if !hashes.IsInt64() {
		return math.MaxInt64
	}
	return hashes.Int64()
}

// NetworkWork returns the expected number of hashes of a block with the given
// nBits; the errors are those of TargetFromBits.
func NetworkWork(nBits uint32) (*big.Int, error) {
	t, err := TargetFromBits(nBits)
	if err != nil {
		return nil, err
	}
	return t.Work(), nil
}
