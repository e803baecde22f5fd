package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Accounts of the pool itself. They have one balance each, in bucket "".
const (
	WalletImmature  int64 = 1 // asset: coinbases that cannot be spent yet
	WalletSpendable int64 = 2 // asset: mature coinbases less what was paid from them
	PoolFee         int64 = 3 // income: the pool's fee
	PoolDonation    int64 = 4 // income: set aside for donation
	PoolReserve     int64 = 5 // income: what an under-filled window holds back
	PoolTxFee       int64 = 6 // expense: chain fees that the pool bore
	ExtCoinbase     int64 = 7 // passing through: paid by a coinbase directly to a miner
	PoolSweep       int64 = 8 // the pool's own, set aside for the cold address

	lastSystem int64 = 100 // ids up to here belong to the pool
)

// Buckets of a miner's account.
const (
	Pending  = "pending"  // credited for blocks that can still be orphaned
	Payable  = "payable"  // for mature blocks, not yet in a payout
	Reserved = "reserved" // in a payout that is not settled
)

// Account is a miner, known by the script that payouts pay to.
type Account struct {
	ID        int64
	Address   string // canonical text of Script
	Script    []byte // scriptPubKey
	MinPayout int64  // sat; applies where it is higher than the pool's minimum
	Hold      bool   // not to be paid until the operator says so
}

const selectAccount = `
	SELECT id, address, script, min_payout, hold
	FROM account WHERE kind = 'miner' AND `

// Account returns the miner with this canonical address, false when no block
// was ever shared with it.
func (l *Ledger) Account(ctx context.Context, address string) (Account, bool, error) {
	var a Account
	err := l.db.Reader().QueryRowContext(ctx, selectAccount+`address = ?`, address).
		Scan(&a.ID, &a.Address, &a.Script, &a.MinPayout, &a.Hold)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, false, nil
	}
	if err != nil {
		return Account{}, false, fmt.Errorf("read account: %w", err)
	}

	return a, true, nil
}

// OpenAccount returns the id of the account that is paid by script and makes
// one named address when there is none. Two spellings of an address have one
// script and so one account, which keeps the address it was opened with.
func (tx *Tx) OpenAccount(ctx context.Context, address string, script []byte, at time.Time) (id int64, err error) {
	if address == "" || len(script) == 0 {
		return 0, errors.New("open account: address or script is missing")
	}

	err = tx.QueryRowContext(ctx, `SELECT id FROM account WHERE script = ?`, script).Scan(&id)
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("open account: %w", err)
	}

	err = tx.QueryRowContext(ctx, `
		INSERT INTO account (id, kind, script, address, created)
		SELECT MAX(MAX(id), ?) + 1, 'miner', ?, ?, ? FROM account
		RETURNING id`, lastSystem, script, address, at.UnixMilli()).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("open account: %w", err)
	}

	return id, nil
}
