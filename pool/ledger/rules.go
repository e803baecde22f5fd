package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SetAccountRule decides how the miner with this canonical address is paid: not
// below minPayout satoshis, nil for the pool's own minimum, and not at all while
// on hold. It stands in the book as an event that moves nothing, so who decided
// what, and when, is part of the hash chain. ErrNotFound when there is no such
// miner. A rule that is in force already changes nothing.
//
// There is no waiting time after a change of address: an account is its address,
// so nobody can redirect what it has earned.
func (l *Ledger) SetAccountRule(ctx context.Context, address string, minPayout *int64, hold bool, actor string) error {
	return l.Update(ctx, func(tx *Tx) error { return tx.SetAccountRule(ctx, address, minPayout, hold, actor, l.now()) })
}

// SetAccountRule is [Ledger.SetAccountRule] inside a transaction.
func (tx *Tx) SetAccountRule(ctx context.Context, address string, minPayout *int64, hold bool, actor string, at time.Time) error {
	if err := tx.setAccountRule(ctx, address, minPayout, hold, actor, at); err != nil {
		return fmt.Errorf("set rule of account: %w", err)
	}

	return nil
}

func (tx *Tx) setAccountRule(ctx context.Context, address string, minPayout *int64, hold bool, actor string, at time.Time) error {
	var least int64
	if minPayout != nil {
		least = *minPayout
	}
	switch {
	case actor == "":
		return errors.New("the actor is missing")
	case least < 0 || least > maxMoney:
		return fmt.Errorf("%d sat cannot be a minimum", least)
	}

	var a Account
	err := tx.QueryRowContext(ctx, selectAccount+`address = ?`, address).
		Scan(&a.ID, &a.Address, &a.Script, &a.MinPayout, &a.Hold)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	case a.MinPayout == least && a.Hold == hold:
		return nil
	}

	err = expectRow(tx.ExecContext(ctx, `UPDATE account SET min_payout = ?, hold = ? WHERE id = ?`, least, hold, a.ID))
	if err != nil {
		return err
	}

	ref := fmt.Sprintf("acct:%d", a.ID)
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM event WHERE ref = ?`, ref).Scan(&n); err != nil {
		return err
	}

	return tx.Post(ctx, Event{
		Key: fmt.Sprintf("%s:rule:%d:min=%d:hold=%t", ref, n+1, least, hold), Kind: KindRule, Ref: ref, Actor: actor, At: at,
	}, nil)
}
