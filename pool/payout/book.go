package payout

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// A payout's events in the ledger have keys, and each key is booked once. After a
// reorganisation the same thing happens again, under the next number:
//
//	pay:7:reserve, :reserve:1 …          the money of the items is set aside
//	pay:7:release, :release:1 …          and is payable again
//	pay:7:settle:TXID, :1 …              the miners are paid
//	pay:7:unsettle:TXID:0, :1 …          and are not
//	pay:7:fee:TXID, :1 …                 the pool has paid for a transaction that pays nobody
//	pay:7:unfee:TXID:0, :1 …             and has not

// ref is what the events of a payout are about.
func ref(id int64) string { return fmt.Sprintf("pay:%d", id) }

// again is the n-th key of the same thing, from 0.
func again(key string, n int) string {
	if n == 0 {
		return key
	}

	return fmt.Sprintf("%s:%d", key, n)
}

// numbered books under the first number that is free. The state of the payout
// tells that what has a lower number is booked and reversed.
func numbered(book func(n int) error) error {
	for n := 0; ; n++ {
		if err := book(n); !errors.Is(err, ledger.ErrPosted) {
			return err
		}
	}
}

func reserveKey(id int64, n int) string { return again(ref(id)+":reserve", n) }
func releaseKey(id int64, n int) string { return again(ref(id)+":release", n) }

// release ends a payout and makes its money payable again.
func (d *Desk) release(ctx context.Context, tx *ledger.Tx, one Payout, to State, actor string) error {
	now := d.now()
	if err := move(ctx, tx.Tx, one, to, now); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE payout_item SET live = 0 WHERE payout = ?`, one.ID); err != nil {
		return err
	}

	return numbered(func(n int) error {
		return tx.Reverse(ctx, reserveKey(one.ID, n), releaseKey(one.ID, n), actor, now)
	})
}

// reserveAgain reverses a release.
func (d *Desk) reserveAgain(ctx context.Context, tx *ledger.Tx, one Payout) error {
	return numbered(func(n int) error {
		return tx.Reverse(ctx, releaseKey(one.ID, n), reserveKey(one.ID, n+1), "payout", d.now())
	})
}

func feeKey(id int64, txid chainhash.Hash, n int) string {
	return again(fmt.Sprintf("%s:fee:%v", ref(id), txid), n)
}

func unfeeKey(id int64, txid chainhash.Hash, n int) string {
	return fmt.Sprintf("%s:unfee:%v:%d", ref(id), txid, n)
}

// bookFee books what the pool has paid for a transaction to itself.
func (d *Desk) bookFee(ctx context.Context, tx *ledger.Tx, one Payout, a Attempt) error {
	return numbered(func(n int) error {
		return tx.Post(ctx, ledger.Event{
			Key: feeKey(one.ID, a.TxID, n), Kind: ledger.KindFee, Ref: ref(one.ID), Actor: "payout", At: d.now(),
		}, []ledger.Posting{
			{Account: ledger.PoolTxFee, Amount: a.Fee},
			{Account: ledger.WalletSpendable, Amount: -a.Fee},
		})
	})
}

// unbookFee reverses bookFee.
func (d *Desk) unbookFee(ctx context.Context, tx *ledger.Tx, one Payout, a Attempt) error {
	return numbered(func(n int) error {
		return tx.Reverse(ctx, feeKey(one.ID, a.TxID, n), unfeeKey(one.ID, a.TxID, n), "payout", d.now())
	})
}
