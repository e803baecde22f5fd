package ledger

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Due is what a miner is due of a block whose split was fixed when its job was
// made, because the coinbase pays it.
type Due struct {
	Address string // canonical
	Script  []byte
	Score   *big.Rat // in the window at that time; 1 for the one miner of a solo block
	Amount  int64    // sat, paid by the coinbase or owed
}

// insertDues fixes the split of a block with the block itself.
func (l *Ledger) insertDues(ctx context.Context, tx *Tx, block int64, dues []Due) error {
	if len(dues) == 0 {
		return errors.New("nobody is due anything")
	}
	for _, d := range dues {
		account, err := tx.OpenAccount(ctx, d.Address, d.Script, l.now())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO block_weight (block, account, weight) VALUES (?, ?, ?)`, block, account, d.Score.RatString())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO block_credit (block, account, amount) VALUES (?, ?, ?)`, block, account, d.Amount)
		if err != nil {
			return err
		}
	}

	return nil
}

// OpenAccounts returns the ids of the accounts that scripts are paid by, and
// makes those that there are not yet. Ties in a split go to the lower id, so
// whoever splits before there is a block needs them.
func (l *Ledger) OpenAccounts(ctx context.Context, miners []Weight) ([]int64, error) {
	ids := make([]int64, len(miners))
	err := l.Update(ctx, func(tx *Tx) (err error) {
		for i, m := range miners {
			if ids[i], err = tx.OpenAccount(ctx, m.Address, m.Script, l.now()); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}

	return ids, nil
}

// FreezeCoinbase is [Ledger.Freeze] for a block whose coinbase pays miners: who
// is due what was recorded with the block, and what of it is paid is read from the
// block's own coinbase, whatever any rule would make of it today.
func (l *Ledger) FreezeCoinbase(ctx context.Context, hash chainhash.Hash, winnerSeq int64) error {
	err := l.Update(ctx, func(tx *Tx) error {
		b, err := lookUp(ctx, tx, hash)
		switch {
		case err != nil:
			return err
		case b.frozen && b.winnerSeq == winnerSeq:
			return nil
		case b.frozen:
			return ErrFrozen
		}

		return tx.freezeCoinbase(ctx, b, winnerSeq)
	})
	if err != nil {
		return fmt.Errorf("freeze coinbase of block %s: %w", hash, err)
	}

	return nil
}

func (tx *Tx) freezeCoinbase(ctx context.Context, b blockRow, winnerSeq int64) error {
	rows, err := splitOf(ctx, tx, b.id)
	if err != nil {
		return err
	}
	credits, err := creditsOf(ctx, tx, b.id)
	if err != nil {
		return err
	}
	result, err := Split(SplitInput{Value: b.value, Terms: b.terms, Weights: weightsOf(rows)})
	if err != nil {
		return err
	}
	if !slices.Equal(result.Credits, credits) {
		return errors.New("the dues are not the split of the block's value")
	}

	payments, err := coinbasePayments(ctx, tx, b, credits)
	if err != nil {
		return err
	}
	for _, p := range payments {
		_, err := tx.ExecContext(ctx, `INSERT INTO block_payment (block, account, amount) VALUES (?, ?, ?)`, b.id, p.Account, p.Amount)
		if err != nil {
			return err
		}
	}

	return expectRow(tx.ExecContext(ctx, `
		UPDATE block SET winner_seq = ?, fee = ?, donation = ?, reserve = ? WHERE id = ? AND winner_seq IS NULL`,
		winnerSeq, result.Fee, result.Donation, result.Reserve, b.id))
}

// coinbasePayments reads from the raw block, or from what was kept of it, what its
// coinbase pays to miners, by ascending account. Everybody in it must be due as much.
func coinbasePayments(ctx context.Context, q sqlite.Querier, b blockRow, credits []Credit) ([]Credit, error) {
	var raw, kept, pool []byte
	var txid chainhash.Hash
	err := q.QueryRowContext(ctx, `
		SELECT b.raw, COALESCE(p.coinbase, x''), COALESCE(b.pool_script, x''), b.coinbase_txid
		FROM block b LEFT JOIN block_proof p ON p.block = b.id
		WHERE b.id = ?`, b.id).Scan(&raw, &kept, &pool, hashColumn{&txid})
	if err != nil {
		return nil, err
	}
	coinbase, err := readCoinbase(raw, kept)
	if err != nil {
		return nil, fmt.Errorf("read coinbase: %w", err)
	}
	if coinbase.TxHash() != txid {
		return nil, fmt.Errorf("its coinbase is not %s", txid)
	}

	due := make(map[int64]int64, len(credits))
	for _, c := range credits {
		due[c.Account] = c.Amount
	}
	var sum int64
	paid := map[int64]int64{}
	for _, out := range coinbase.TxOut {
		sum += out.Value
		if out.Value == 0 || bytes.Equal(out.PkScript, pool) {
			continue // the witness commitment, or the pool's part
		}
		var account int64
		err := q.QueryRowContext(ctx, `SELECT id FROM account WHERE script = ?`, out.PkScript).Scan(&account)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		paid[account] += out.Value
		if paid[account] > due[account] {
			return nil, fmt.Errorf("its coinbase pays %d sat to %x, who is due %d", out.Value, out.PkScript, due[account])
		}
	}
	if sum != b.value {
		return nil, fmt.Errorf("its coinbase pays %d sat, its job was worth %d", sum, b.value)
	}

	payments := make([]Credit, 0, len(paid))
	for account, amount := range paid {
		payments = append(payments, Credit{account, amount})
	}
	slices.SortFunc(payments, func(a, b Credit) int { return cmp.Compare(a.Account, b.Account) })

	return payments, nil
}

// Coinbase decodes the coinbase of a block that came from [Ledger.Block].
func (b Block) Coinbase() (*wire.MsgTx, error) {
	var kept []byte
	if b.Proof != nil {
		kept = b.Proof.Coinbase
	}
	return readCoinbase(b.Raw, kept)
}

// readCoinbase decodes the first transaction of a raw block or, once its bytes were
// dropped ([Ledger.DropRaw]), the one that was kept of it.
func readCoinbase(raw, kept []byte) (*wire.MsgTx, error) {
	var coinbase wire.MsgTx
	if len(raw) == 0 {
		return &coinbase, coinbase.DeserializeNoWitness(bytes.NewReader(kept))
	}

	r := bytes.NewReader(raw)
	var header wire.BlockHeader
	if err := header.Deserialize(r); err != nil {
		return nil, err
	}
	if _, err := wire.ReadVarInt(r, 0); err != nil {
		return nil, err
	}

	return &coinbase, coinbase.Deserialize(r)
}
