package ledger

import (
	"context"
	"database/sql"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// reward is what a block brings and where it goes.
type reward struct {
	SplitResult          // without credits
	wallet      int64    // sat that the coinbase pays to the pool's wallet
	owed        []Credit // to be paid from it
	paid        []Credit // by the coinbase itself
}

// rewardOf reads the frozen reward of a block.
func rewardOf(ctx context.Context, q sqlite.Querier, b blockRow) (reward, error) {
	credits, err := creditsOf(ctx, q, b.id)
	if err != nil {
		return reward{}, err
	}
	paid, err := paymentsOf(ctx, q, b.id)
	if err != nil {
		return reward{}, err
	}

	r := reward{SplitResult: b.result, wallet: b.value, paid: paid}
	by := make(map[int64]int64, len(paid))
	for _, p := range paid {
		by[p.Account] = p.Amount
		r.wallet -= p.Amount
	}
	for _, c := range credits {
		r.owed = append(r.owed, Credit{c.Account, c.Amount - by[c.Account]})
	}

	return r, nil
}

// credit is what the ledger owes from now on, and to whom.
func (r reward) credit() []Posting {
	postings := []Posting{
		{WalletImmature, "", r.wallet},
		{PoolFee, "", -r.Fee},
		{PoolDonation, "", -r.Donation},
		{PoolReserve, "", -r.Reserve},
	}
	for _, c := range r.owed {
		postings = append(postings, Posting{c.Account, Pending, -c.Amount})
	}

	return postings
}

// direct is what a coinbase that pays miners makes the pool owe for a moment,
// until settle.
func (r reward) direct() []Posting {
	var postings []Posting
	for _, c := range r.paid {
		postings = append(postings, Posting{ExtCoinbase, "", c.Amount}, Posting{c.Account, Reserved, -c.Amount})
	}

	return postings
}

// settle says that the coinbase has paid what direct made due.
func (r reward) settle() []Posting {
	postings := r.direct()
	for i := range postings {
		postings[i].Amount = -postings[i].Amount
	}

	return postings
}

// mature makes payable what was pending.
func (r reward) mature() []Posting {
	postings := []Posting{{WalletSpendable, "", r.wallet}, {WalletImmature, "", -r.wallet}}
	for _, c := range r.owed {
		postings = append(postings, Posting{c.Account, Pending, c.Amount}, Posting{c.Account, Payable, -c.Amount})
	}

	return postings
}

// creditsOf reads the frozen credits of a block by ascending account.
func creditsOf(ctx context.Context, q sqlite.Querier, block int64) ([]Credit, error) {
	return readCredits(ctx, q, `SELECT account, amount FROM block_credit WHERE block = ? ORDER BY account`, block)
}

// paymentsOf reads what the coinbase of a block paid to miners.
func paymentsOf(ctx context.Context, q sqlite.Querier, block int64) ([]Credit, error) {
	return readCredits(ctx, q, `SELECT account, amount FROM block_payment WHERE block = ? ORDER BY account`, block)
}

func readCredits(ctx context.Context, q sqlite.Querier, query string, block int64) ([]Credit, error) {
	rows, err := q.QueryContext(ctx, query, block)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (c Credit, err error) { return c, rows.Scan(&c.Account, &c.Amount) })
}
