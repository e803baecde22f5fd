package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// ErrNotOwn says that an amount is more than what is the pool's own.
var ErrNotOwn = errors.New("more than what is the pool's own")

// Own is what can be spent now and is nobody's but the pool's: what it took, less the
// chain fees that it bore, what was booked as lost, and what is already set aside.
// What a miner owes the pool is not there to be spent. It is negative when the
// miners could not all be paid now.
//
// What an immature block has given the pool is not counted, and neither is a loss
// among those blocks made good with it.
func (s Sums) Own() int64 {
	return s.Spendable + min(0, s.Immature-s.Pending) - s.Payable - s.Debt - s.Reserved - s.Sweep
}

// SetAside returns the postings that set an amount of the pool's own aside: from
// the fee first, and from what is meant as a donation last. ErrNotOwn when there is
// not that much. What the accounts hold together is never less than Own, so
// none of them is overdrawn.
func (s Sums) SetAside(amount int64) ([]Posting, error) {
	if amount <= 0 || amount > s.Own() {
		return nil, fmt.Errorf("%d sat of %d: %w", amount, s.Own(), ErrNotOwn)
	}

	postings := []Posting{{Account: PoolSweep, Amount: -amount}}
	for _, from := range []struct{ account, has int64 }{
		{PoolFee, s.Fee}, {PoolReserve, s.Reserve}, {PoolDonation, s.Donation},
	} {
		part := min(amount, max(0, from.has))
		amount -= part
		postings = append(postings, Posting{Account: from.account, Amount: part})
	}
	if amount != 0 {
		return nil, fmt.Errorf("the income is %d sat short: %w", amount, ErrNotOwn)
	}

	return postings, nil
}

// ReadSums adds up all balances as q sees them: those of a transaction that goes on
// to book something for what they are.
func ReadSums(ctx context.Context, q sqlite.Querier) (Sums, error) {
	balances, err := balanceRows(ctx, q)
	if err != nil {
		return Sums{}, fmt.Errorf("read sums: %w", err)
	}

	var sums Sums
	for _, p := range balances {
		sums.add(p)
	}

	return sums, nil
}
