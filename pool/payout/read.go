package payout

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Get returns a payout with all that belongs to it; ErrNotFound.
func (d *Desk) Get(ctx context.Context, id int64) (Payout, error) {
	p, err := load(ctx, d.db.Reader(), id, d.tip.Load())
	_, unsigned := p.unsigned()
	p.Can.Export = unsigned && d.Cold()

	return p, err
}

// List returns the payouts in the given states, newest first; without states
// all. What only Get fills in is left out.
func (d *Desk) List(ctx context.Context, states ...State) ([]Payout, error) {
	query, args := selectPayout, make([]any, len(states))
	if len(states) > 0 {
		query += `WHERE p.state IN (?` + strings.Repeat(`, ?`, len(states)-1) + `)`
		for i, s := range states {
			args[i] = s
		}
	}

	rows, err := d.db.Reader().QueryContext(ctx, query+` ORDER BY p.id DESC`, args...)
	if err != nil {
		return nil, fmt.Errorf("list payouts: %w", err)
	}
	tip := d.tip.Load()
	payouts, err := sqlite.Collect(rows, func(r *sql.Rows) (Payout, error) { return scanPayout(r, tip) })
	if err != nil {
		return nil, fmt.Errorf("list payouts: %w", err)
	}

	return payouts, nil
}

// Newest returns up to limit payouts of all states, newest first. What only Get
// fills in is left out.
func (d *Desk) Newest(ctx context.Context, limit int) ([]Payout, error) {
	rows, err := d.db.Reader().QueryContext(ctx, selectPayout+` ORDER BY p.id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list newest payouts: %w", err)
	}
	tip := d.tip.Load()
	payouts, err := sqlite.Collect(rows, func(r *sql.Rows) (Payout, error) { return scanPayout(r, tip) })
	if err != nil {
		return nil, fmt.Errorf("list newest payouts: %w", err)
	}

	return payouts, nil
}

// Count returns how many payouts there are, by state; of a state without any it says 0.
func (d *Desk) Count(ctx context.Context) (map[State]int, error) {
	counts := map[State]int{
		Draft: 0, Pending: 0, Approved: 0, Signed: 0, Broadcast: 0, Confirmed: 0, Settled: 0,
		Cancelled: 0, Expired: 0, Cancelling: 0, Failed: 0,
	}
	rows, err := d.db.Reader().QueryContext(ctx, `SELECT state, COUNT(*) FROM payout GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count payouts: %w", err)
	}
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (struct{}, error) {
		var s State
		var n int
		err := r.Scan(&s, &n)
		counts[s] = n

		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count payouts: %w", err)
	}

	return counts, nil
}

// Owed returns the accounts that the pool owes mature money, with the reason
// why the next draft would leave one out. The largest amounts come first.
func (d *Desk) Owed(ctx context.Context) ([]Due, error) {
	balances, err := d.ledger.Balances(ctx)
	if err != nil {
		return nil, fmt.Errorf("list what is owed: %w", err)
	}
	all, err := candidates(ctx, d.db.Reader(), balances)
	if err != nil {
		return nil, fmt.Errorf("list what is owed: %w", err)
	}
	used, err := spent(ctx, d.db.Reader(), 0, d.now().Add(-24*time.Hour), true)
	if err != nil {
		return nil, fmt.Errorf("list what is owed: %w", err)
	}

	reasons := make(map[int64]string)
	_, left := Choose(all, d.policy(), used)
	for _, l := range left {
		reasons[l.Account] = l.Reason
	}

	var owed []Due
	for _, b := range balances {
		if b.Payable <= 0 && b.Reserved == 0 {
			continue
		}
		owed = append(owed, Due{
			Account: b.ID, Address: b.Address,
			Payable: b.Payable, Reserved: b.Reserved, Reason: reasons[b.ID],
		})
	}
	slices.SortStableFunc(owed, func(a, b Due) int {
		return int(min(max(b.Payable+b.Reserved-a.Payable-a.Reserved, -1), 1))
	})

	return owed, nil
}

// Origins explains the amounts of a payout, see [ledger.Ledger.Origins].
func (d *Desk) Origins(ctx context.Context, id int64) ([]ledger.Origin, error) {
	return d.ledger.Origins(ctx, reserveKey(id, 0))
}

// candidates joins the balances with the payouts that are under way.
func candidates(ctx context.Context, q sqlite.Querier, balances []ledger.Balance) ([]Candidate, error) {
	rows, err := q.QueryContext(ctx, `SELECT account, payout FROM payout_item WHERE live = 1`)
	if err != nil {
		return nil, fmt.Errorf("read open items: %w", err)
	}
	open := make(map[int64]int64)
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (struct{}, error) {
		var account, payout int64
		err := r.Scan(&account, &payout)
		open[account] = payout

		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read open items: %w", err)
	}

	all := make([]Candidate, 0, len(balances))
	for _, b := range balances {
		all = append(all, Candidate{
			Account: b.ID, Address: b.Address, Script: b.Script,
			Payable: b.Payable, MinPayout: b.MinPayout, Hold: b.Hold, Payout: open[b.ID],
		})
	}

	return all, nil
}

// PaidTo returns the latest payments to an address, newest first: those on
// their way and those that arrived, but none that was given up.
func (d *Desk) PaidTo(ctx context.Context, address string, limit int) ([]PaidItem, error) {
	rows, err := d.db.Reader().QueryContext(ctx, `
		SELECT p.id, p.state, i.amount, i.fee_share, t.expected, COALESCE(t.height, 0), p.updated_at
		FROM account a
		JOIN payout_item i ON i.account = a.id
		JOIN payout p      ON p.id = i.payout`+currentAttempt+`
		WHERE a.address = ? AND p.state NOT IN ('cancelled', 'expired', 'failed')
		ORDER BY p.id DESC
		LIMIT ?`, address, limit)
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}

	tip := d.tip.Load()
	paid, err := sqlite.Collect(rows, func(r *sql.Rows) (PaidItem, error) {
		var p PaidItem
		var at int64
		err := r.Scan(&p.Payout, &p.State, &p.Amount, &p.FeeShare, hashColumn{&p.TxID}, &p.Height, &at)
		p.At, p.Confirmations = time.UnixMilli(at), confirmations(p.Height, tip)

		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}

	return paid, nil
}
