package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Weight is what a miner did in the window of a block.
type Weight struct {
	Address string // canonical
	Script  []byte
	Score   *big.Rat // as in AccountWeight
}

// Freeze fixes who is paid for a block: it copies the window that ends with the
// share winnerSeq into the ledger and computes the [Split]. Miners get their
// accounts in the order of weights; weights of one script are added up. The
// same call again changes nothing, a different one is [ErrFrozen].
func (l *Ledger) Freeze(ctx context.Context, hash chainhash.Hash, winnerSeq int64, weights []Weight) error {
	merged, err := mergeScripts(weights)
	if err == nil {
		err = l.Update(ctx, func(tx *Tx) error { return l.freeze(ctx, tx, hash, winnerSeq, merged) })
	}
	if err != nil {
		return fmt.Errorf("freeze split of block %s: %w", hash, err)
	}

	return nil
}

func (l *Ledger) freeze(ctx context.Context, tx *Tx, hash chainhash.Hash, winnerSeq int64, weights []Weight) error {
	b, err := lookUp(ctx, tx, hash)
	if err != nil {
		return err
	}
	if b.frozen {
		return b.sameSplit(ctx, tx, winnerSeq, weights)
	}

	in := SplitInput{Value: b.value, Terms: b.terms, Weights: make([]AccountWeight, len(weights))}
	for i, w := range weights {
		id, err := tx.OpenAccount(ctx, w.Address, w.Script, l.now())
		if err != nil {
			return err
		}
		in.Weights[i] = AccountWeight{Account: id, Score: w.Score}
	}

	result, err := Split(in)
	if err != nil {
		return err
	}

	for _, w := range in.Weights {
		_, err := tx.ExecContext(ctx, `INSERT INTO block_weight (block, account, weight) VALUES (?, ?, ?)`,
			b.id, w.Account, w.Score.RatString())
		if err != nil {
			return err
		}
	}
	for _, c := range result.Credits {
		_, err := tx.ExecContext(ctx, `INSERT INTO block_credit (block, account, amount) VALUES (?, ?, ?)`,
			b.id, c.Account, c.Amount)
		if err != nil {
			return err
		}
	}

	return expectRow(tx.ExecContext(ctx, `
		UPDATE block SET winner_seq = ?, fee = ?, donation = ?, reserve = ? WHERE id = ? AND winner_seq IS NULL`,
		winnerSeq, result.Fee, result.Donation, result.Reserve, b.id))
}

// sameSplit returns nil when the block was frozen with these very weights.
func (b blockRow) sameSplit(ctx context.Context, tx *Tx, winnerSeq int64, weights []Weight) error {
	rows, err := splitOf(ctx, tx, b.id)
	if err != nil {
		return err
	}
	frozen := make(map[int64]*big.Rat, len(rows))
	for _, r := range rows {
		frozen[r.Account] = r.Score
	}

	same := winnerSeq == b.winnerSeq && len(weights) == len(frozen)
	for _, w := range weights {
		if !same {
			break
		}
		id, err := tx.OpenAccount(ctx, w.Address, w.Script, b.foundAt)
		if err != nil {
			return err
		}
		score, ok := frozen[id]
		same = ok && score.Cmp(w.Score) == 0
	}
	if !same {
		return ErrFrozen
	}

	return nil
}

// mergeScripts adds up the scores of equal scripts in the order of their first weight.
func mergeScripts(weights []Weight) ([]Weight, error) {
	at := make(map[string]int, len(weights))
	merged := make([]Weight, 0, len(weights))
	for _, w := range weights {
		if w.Score == nil || w.Score.Sign() < 0 {
			return nil, errors.New("a miner has no score")
		}
		if i, ok := at[string(w.Script)]; ok {
			merged[i].Score = new(big.Rat).Add(merged[i].Score, w.Score)
			continue
		}
		at[string(w.Script)] = len(merged)
		merged = append(merged, w)
	}

	return merged, nil
}
