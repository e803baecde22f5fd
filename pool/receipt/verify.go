package receipt

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/work"
)

// Traced reports whether the scores are written down with the work behind them.
// Splits of an early version have the scores alone.
func (r Receipt) Traced() bool { return len(r.Epochs) > 0 }

// Verify recomputes all of the receipt and returns the first difference, a
// sentence for the miner, or nil.
func (r Receipt) Verify() error {
	header, err := r.Block.verify()
	if err != nil {
		return err
	}
	if r.Traced() && r.Epochs[0].Bits != fmt.Sprintf("%08x", header.Bits) {
		return fmt.Errorf("the newest work is against nBits %s, and the block has %08x", r.Epochs[0].Bits, header.Bits)
	}

	scores, err := r.scores()
	if err != nil {
		return err
	}
	if err := r.verifyWork(scores); err != nil {
		return err
	}

	if err := r.verifySplit(scores); err != nil {
		return err
	}

	return r.verifyPaid()
}

// scores reads the scores, and finds an account that comes twice.
func (r Receipt) scores() ([]*big.Rat, error) {
	seen := map[string]bool{}
	scores := make([]*big.Rat, len(r.Accounts))
	for i, a := range r.Accounts {
		if seen[a.Tag] {
			return nil, fmt.Errorf("account %s comes twice", a.Tag)
		}
		seen[a.Tag] = true
		score, ok := fraction(a.Score)
		if !ok {
			return nil, fmt.Errorf("account %s has the score %q, which is no fraction", a.Tag, a.Score)
		}
		scores[i] = score
	}

	return scores, nil
}

// verifyWork recomputes the scores from the work, and the size of the window, where
// the work is written down.
func (r Receipt) verifyWork(scores []*big.Rat) error {
	if !r.Traced() {
		for _, a := range r.Accounts {
			if len(a.Work) > 0 || len(a.Shares) > 0 {
				return fmt.Errorf("account %s has work, and there is no epoch in which it was done", a.Tag)
			}
		}

		return nil
	}
	worth, cut, err := r.worth()
	if err != nil {
		return err
	}

	sums := make([]*big.Int, len(r.Epochs))
	for n := range sums {
		sums[n] = new(big.Int)
	}
	window := new(big.Rat)
	for i, a := range r.Accounts {
		if len(a.Work) != len(r.Epochs) || len(a.Shares) != len(r.Epochs) {
			return fmt.Errorf("account %s has work in %d epochs and shares in %d, and there are %d", a.Tag, len(a.Work), len(a.Shares), len(r.Epochs))
		}
		score := new(big.Rat)
		for n, text := range a.Work {
			done, ok := integer(text)
			if !ok || a.Shares[n] < 0 || (done.Sign() == 0) != (a.Shares[n] == 0) {
				return fmt.Errorf("account %s did %q in %d shares, which cannot be", a.Tag, text, a.Shares[n])
			}
			sums[n].Add(sums[n], done)
			score.Add(score, new(big.Rat).Mul(worth[n], new(big.Rat).SetInt(done)))
		}
		if score.Cmp(scores[i]) != 0 {
			return fmt.Errorf("account %s: its work gives the score %s, and the receipt has %s", a.Tag, score.RatString(), a.Score)
		}
		window.Add(window, score)
	}
	for n, e := range r.Epochs {
		if sums[n].String() != e.Work {
			return fmt.Errorf("the accounts did %s in epoch %d, and the receipt has %s", sums[n], n+1, e.Work)
		}
	}

	// The window is exactly X long, or everything that there was counts whole.
	limit := big.NewRat(r.Terms.WindowMilli, 1000)
	if c := window.Cmp(limit); c > 0 || cut && c != 0 {
		return fmt.Errorf("the scores add up to %s, and the window is %s", window.RatString(), limit.RatString())
	}

	return nil
}

// worth returns what one hash of each epoch adds to a score, and whether work was
// cut where the window ends.
func (r Receipt) worth() (worth []*big.Rat, cut bool, err error) {
	one := big.NewRat(1, 1)
	for n, e := range r.Epochs {
		var bits uint32
		if _, err := fmt.Sscanf(e.Bits, "%08x", &bits); err != nil || fmt.Sprintf("%08x", bits) != e.Bits {
			return nil, false, fmt.Errorf("epoch %d has the nBits %q", n+1, e.Bits)
		}
		network, err := work.NetworkWork(bits)
		if err != nil {
			return nil, false, fmt.Errorf("epoch %d has the nBits %q: %w", n+1, e.Bits, err)
		}
		if network.String() != e.NetworkWork {
			return nil, false, fmt.Errorf("epoch %d: nBits %s mean a work of %s, and the receipt has %s", n+1, e.Bits, network, e.NetworkWork)
		}
		take, ok := fraction(e.Take)
		if !ok || take.Sign() <= 0 || take.Cmp(one) > 0 {
			return nil, false, fmt.Errorf("epoch %d counts with %q, and a part is between 0 and 1", n+1, e.Take)
		}
		if take.Cmp(one) < 0 {
			if n != len(r.Epochs)-1 {
				return nil, false, fmt.Errorf("epoch %d is cut, and the window has one end only, the oldest work", n+1)
			}
			cut = true
		}
		worth = append(worth, take.Quo(take, new(big.Rat).SetInt(network)))
	}

	return worth, cut, nil
}

// verifySplit recomputes the split from the scores.
func (r Receipt) verifySplit(scores []*big.Rat) error {
	in := ledger.SplitInput{Value: r.Block.Value, Terms: ledger.Terms(r.Terms)}
	for i, score := range scores {
		in.Weights = append(in.Weights, ledger.AccountWeight{Account: int64(i), Score: score})
	}
	split, err := ledger.Split(in)
	if err != nil {
		return fmt.Errorf("the split cannot be computed: %w", err)
	}

	for _, line := range []struct {
		name      string
		got, want int64
	}{
		{"the pool's fee", r.Fee, split.Fee},
		{"the donation", r.Donation, split.Donation},
		{"the reserve", r.Reserve, split.Reserve},
	} {
		if line.got != line.want {
			return fmt.Errorf("%s should be %d sat, and the receipt has %d", line.name, line.want, line.got)
		}
	}
	for i, credit := range split.Credits {
		if a := r.Accounts[i]; a.Credit != credit.Amount {
			return fmt.Errorf("account %s should get %d sat, and the receipt has %d", a.Tag, credit.Amount, a.Credit)
		}
	}

	return nil
}

// verifyPaid compares what the coinbase is said to pay to miners with its outputs.
// It finds them by the tags of their scripts. All that pays none of them goes to one
// script, the pool's.
func (r Receipt) verifyPaid() error {
	hash, err := chainhash.NewHashFromStr(r.Block.Hash)
	if err != nil {
		return fmt.Errorf("the block has no hash: %w", err)
	}
	coinbase, err := r.Block.coinbase()
	if err != nil {
		return err
	}
	outputs := map[string]int64{}
	for _, out := range coinbase.TxOut {
		if out.Value != 0 { // nothing is what the witness commitment holds
			outputs[Tag(*hash, out.PkScript)] += out.Value
		}
	}
	rest := len(outputs)
	for _, a := range r.Accounts {
		if a.Paid == 0 {
			continue
		}
		if a.Paid < 0 || a.Paid > a.Credit {
			return fmt.Errorf("account %s is paid %d sat of %d", a.Tag, a.Paid, a.Credit)
		}
		if outputs[a.Tag] != a.Paid {
			return fmt.Errorf("the coinbase pays %d sat to account %s, and the receipt has %d", outputs[a.Tag], a.Tag, a.Paid)
		}
		rest--
	}
	if rest > 1 {
		return fmt.Errorf("the coinbase pays %d others than the accounts that the receipt calls paid, and the pool is one", rest)
	}

	return nil
}

// fraction reads "7/10" or "2". It refuses the other forms that [big.Rat] takes,
// an exponent above all: that is few digits and a number without end.
func fraction(text string) (*big.Rat, bool) {
	numerator, denominator, _ := strings.Cut(text, "/")
	if !digits(numerator) || denominator != "" && !digits(denominator) {
		return nil, false
	}

	return new(big.Rat).SetString(text)
}

func integer(text string) (*big.Int, bool) {
	if !digits(text) {
		return nil, false
	}

	return new(big.Int).SetString(text, 10)
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
