package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// maxMoney is the most that a block could ever be worth: 21 million coins in sat.
const maxMoney int64 = 21_000_000 * 100_000_000

// AccountWeight is what an account did in the window.
type AccountWeight struct {
	Account int64
	Score   *big.Rat // sum of share work / network work, the edge share by its fraction; never negative
}

// SplitInput is all that a split depends on.
type SplitInput struct {
	Value   int64 // sat, what the coinbase pays
	Terms   Terms
	Weights []AccountWeight // in any order; weights of one account are added up
}

// Credit is what an account gets.
type Credit struct {
	Account int64
	Amount  int64 // sat
}

// SplitResult shares Value: Fee + Donation + Reserve + all Credits, exactly.
type SplitResult struct {
	Fee, Donation, Reserve int64    // sat
	Credits                []Credit // one for each account of the window, by ascending account
}

// Split shares the value of a block among the accounts of its PPLNS window.
//
// Fee and donation are both taken of the whole value, rounded down. Of the rest,
// D, an account with score s is due the quota D·s/S, S being the sum of all
// scores or, where an under-filled window holds back, the full window X. Quotas
// are rounded down and the satoshis this leaves go one each to the largest
// remainders, a tie to the lower account id. A solo block has no window to fill:
// its one account gets all of D:
//
//	value ─┬─ fee        floor(value · fee_bps / 10000)
//	       ├─ donation   floor(value · donation_bps / 10000)
//	       └─ D ─┬─ credits, in sum floor(D · min(S, X) / X) or D
//	             └─ reserve, the rest
//
// Everything is integers: scores are brought to a common denominator and the
// one division comes last. Equal input gives equal output in every run.
func Split(in SplitInput) (SplitResult, error) {
	if in.Value < 0 || in.Value > maxMoney {
		return SplitResult{}, fmt.Errorf("split %d sat: not an amount that a block can be worth", in.Value)
	}
	if err := in.Terms.Validate(); err != nil {
		return SplitResult{}, fmt.Errorf("split %d sat: %w", in.Value, err)
	}
	shares, denominator, err := shareOut(in.Weights)
	if err != nil {
		return SplitResult{}, fmt.Errorf("split %d sat: %w", in.Value, err)
	}

	result := SplitResult{
		Fee:      perTenThousand(in.Value, in.Terms.FeeBps),
		Donation: perTenThousand(in.Value, in.Terms.DonationBps),
		Credits:  make([]Credit, len(shares)),
	}
	rest := in.Value - result.Fee - result.Donation

	sum := new(big.Int)
	for _, s := range shares {
		sum.Add(sum, s.weight)
	}
	divisor := sum
	if in.Terms.Underfill == UnderfillHold && in.Terms.Settlement != SettlementSolo {
		// The weight of a full window is X·denominator; thousandths keep it an integer.
		full := new(big.Int).Mul(big.NewInt(in.Terms.WindowMilli), denominator)
		thousand := big.NewInt(1000)
		if sum.Mul(sum, thousand).Cmp(full) < 0 {
			divisor = full
		}
		for _, s := range shares {
			s.weight.Mul(s.weight, thousand)
		}
	}

	due := mulDiv(rest, sum, divisor)
	result.Reserve = rest - due

	left := due
	for i, s := range shares {
		amount, remainder := new(big.Int).QuoRem(s.weight.Mul(s.weight, big.NewInt(rest)), divisor, new(big.Int))
		result.Credits[i] = Credit{Account: s.account, Amount: amount.Int64()}
		shares[i].index, shares[i].weight = i, remainder
		left -= amount.Int64()
	}

	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(b.weight.Cmp(a.weight), cmp.Compare(a.account, b.account))
	})
	for _, s := range shares[:left] {
		result.Credits[s.index].Amount++
	}

	return result, nil
}

// share is an account's part of the split.
type share struct {
	account int64
	weight  *big.Int // score times the common denominator; later the remainder of the quota
	index   int      // in the credits
}

// shareOut adds up the scores of each account, by ascending account, and brings
// them to a common denominator.
func shareOut(weights []AccountWeight) ([]share, *big.Int, error) {
	denominator := big.NewInt(1)
	total := 0
	for _, w := range weights {
		if w.Score == nil || w.Score.Sign() < 0 {
			return nil, nil, fmt.Errorf("account %d has no score", w.Account)
		}
		total += w.Score.Sign()

		// Least common multiple; most scores have a denominator that was seen before.
		if d := w.Score.Denom(); new(big.Int).Rem(denominator, d).Sign() != 0 {
			gcd := new(big.Int).GCD(nil, nil, denominator, d)
			denominator.Mul(denominator, new(big.Int).Quo(d, gcd))
		}
	}
	if total == 0 {
		return nil, nil, errors.New("the window is empty")
	}

	sorted := slices.Clone(weights)
	slices.SortStableFunc(sorted, func(a, b AccountWeight) int { return cmp.Compare(a.Account, b.Account) })

	shares := make([]share, 0, len(sorted))
	for _, w := range sorted {
		weight := new(big.Int).Quo(denominator, w.Score.Denom())
		weight.Mul(weight, w.Score.Num())
		if n := len(shares); n > 0 && shares[n-1].account == w.Account {
			shares[n-1].weight.Add(shares[n-1].weight, weight)
			continue
		}
		shares = append(shares, share{account: w.Account, weight: weight})
	}

	return shares, denominator, nil
}

// perTenThousand returns floor(value·bps/10000). With the ceilings of the terms
// the product of the largest value fits in 64 bits.
func perTenThousand(value, bps int64) int64 { return value * bps / 10000 }

// mulDiv returns floor(value·numerator/denominator).
func mulDiv(value int64, numerator, denominator *big.Int) int64 {
	product := new(big.Int).Mul(big.NewInt(value), numerator)

	return product.Quo(product, denominator).Int64()
}
