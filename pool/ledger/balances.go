package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Balance is what the pool owes a miner and has paid. All in sat, positive =
// owed. Payable is negative when a block was orphaned after its reward was paid.
type Balance struct {
	Account

	Pending  int64 // for blocks that can still be orphaned
	Payable  int64 // not in a payout
	Reserved int64 // in a payout that is not settled
	Paid     int64 // settled, ever
}

const selectBalance = `
	SELECT a.id, a.address, a.script, a.min_payout, a.hold,
	       COALESCE(-(SELECT amount FROM balance WHERE account = a.id AND bucket = 'pending'),  0),
	       COALESCE(-(SELECT amount FROM balance WHERE account = a.id AND bucket = 'payable'),  0),
	       COALESCE(-(SELECT amount FROM balance WHERE account = a.id AND bucket = 'reserved'), 0),
	       COALESCE((SELECT SUM(p.amount) FROM posting p JOIN event e ON e.id = p.event
	                 WHERE p.account = a.id AND p.bucket = 'reserved' AND e.kind IN ('settle', 'unsettle')), 0)
	FROM account a WHERE a.kind = 'miner'`

// Balances returns all miners in the order of their first block.
func (l *Ledger) Balances(ctx context.Context) ([]Balance, error) {
	return ReadBalances(ctx, l.db.Reader())
}

// ReadBalances is [Ledger.Balances] of books that q sees, such as those of a backup.
func ReadBalances(ctx context.Context, q sqlite.Querier) ([]Balance, error) {
	balances, err := readBalances(ctx, q, selectBalance+` ORDER BY a.id`)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}

	return balances, nil
}

// BalanceOf returns the balance of the miner with this canonical address, false
// when no block was ever shared with it.
func (l *Ledger) BalanceOf(ctx context.Context, address string) (Balance, bool, error) {
	balances, err := readBalances(ctx, l.db.Reader(), selectBalance+` AND a.address = ?`, address)
	if err != nil {
		return Balance{}, false, fmt.Errorf("read balance: %w", err)
	}
	if len(balances) == 0 {
		return Balance{}, false, nil
	}

	return balances[0], true, nil
}

func readBalances(ctx context.Context, q sqlite.Querier, query string, args ...any) ([]Balance, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (b Balance, err error) {
		return b, rows.Scan(&b.ID, &b.Address, &b.Script, &b.MinPayout, &b.Hold, &b.Pending, &b.Payable, &b.Reserved, &b.Paid)
	})
}

// Sums is the whole book on one line, in sat: what the wallet should hold, what
// is owed to miners, and what the pool took and spent.
type Sums struct {
	Immature, Spendable        int64 // assets
	Pending, Payable, Reserved int64 // owed; Payable is net of what miners owe the pool
	Debt                       int64 // owed by miners, after an orphan that was paid: already taken off Payable
	Fee, Donation, Reserve     int64 // the pool's income that has not left for the cold address
	TxFee                      int64 // chain fees that the pool bore
	Sweep                      int64 // of the income, set aside for the cold address and on its way there
}

// Owed is what all miners together have to get.
func (s Sums) Owed() int64 { return s.Pending + s.Payable + s.Debt + s.Reserved }

// Shortfall is what the wallet lacks to pay everybody, 0 when it lacks nothing.
// It grows when the pool bears more chain fees than it takes, when a block is
// orphaned after its reward was paid, and when lost coins are booked as lost.
func (s Sums) Shortfall() int64 { return max(0, s.Owed()-s.Immature-s.Spendable) }

// add puts one balance, debit positive, where it belongs.
func (s *Sums) add(p Posting) {
	switch {
	case p.Bucket == Pending:
		s.Pending -= p.Amount
	case p.Bucket == Payable:
		s.Payable -= p.Amount
		s.Debt += max(0, p.Amount)
	case p.Bucket == Reserved:
		s.Reserved -= p.Amount
	case p.Account == WalletImmature:
		s.Immature += p.Amount
	case p.Account == WalletSpendable:
		s.Spendable += p.Amount
	case p.Account == PoolFee:
		s.Fee -= p.Amount
	case p.Account == PoolDonation:
		s.Donation -= p.Amount
	case p.Account == PoolReserve:
		s.Reserve -= p.Amount
	case p.Account == PoolTxFee:
		s.TxFee += p.Amount
	case p.Account == PoolSweep:
		s.Sweep -= p.Amount
	}
}

// Sums adds up all balances.
func (l *Ledger) Sums(ctx context.Context) (Sums, error) {
	return ReadSums(ctx, l.db.Reader())
}

// balanceRows reads the whole cache of balances.
func balanceRows(ctx context.Context, q sqlite.Querier) ([]Posting, error) {
	rows, err := q.QueryContext(ctx, `SELECT account, bucket, amount FROM balance`)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (p Posting, err error) {
		return p, rows.Scan(&p.Account, &p.Bucket, &p.Amount)
	})
}
