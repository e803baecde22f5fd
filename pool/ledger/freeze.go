package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Freeze fixes who is paid for a block: it copies the window into the ledger
// and computes the [Split]. Miners get their accounts in the order of weights;
// weights of one script are added up. A call with the same winner and scores again
// changes nothing, a different one is [ErrFrozen].
func (l *Ledger) Freeze(ctx context.Context, hash chainhash.Hash, w Window) error {
	merged, err := mergeScripts(w)
	if err == nil {
		w.Weights = merged
		err = l.Update(ctx, func(tx *Tx) error { return l.freeze(ctx, tx, hash, w) })
	}
	if err != nil {
		return fmt.Errorf("freeze split of block %s: %w", hash, err)
	}

	return nil
}

func (l *Ledger) freeze(ctx context.Context, tx *Tx, hash chainhash.Hash, window Window) error {
	b, err := lookUp(ctx, tx, hash)
	if err != nil {
		return err
	}
	if b.frozen {
		return b.sameSplit(ctx, tx, window.WinnerSeq, window.Weights)
	}

	in := SplitInput{Value: b.value, Terms: b.terms, Weights: make([]AccountWeight, len(window.Weights))}
	for i, w := range window.Weights {
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
	if err := insertWindow(ctx, tx, b.id, window, in.Weights); err != nil {
		return err
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
		window.WinnerSeq, result.Fee, result.Donation, result.Reserve, b.id))
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

// mergeScripts adds up the scores and the work of equal scripts in the order of
// their first weight.
func mergeScripts(w Window) ([]Weight, error) {
	at := make(map[string]int, len(w.Weights))
	merged := make([]Weight, 0, len(w.Weights))
	for _, weight := range w.Weights {
		if weight.Score == nil || weight.Score.Sign() < 0 {
			return nil, errors.New("a miner has no score")
		}
		if len(weight.Parts) != len(w.Epochs) {
			return nil, fmt.Errorf("a miner has work in %d of %d epochs", len(weight.Parts), len(w.Epochs))
		}
		if i, ok := at[string(weight.Script)]; ok {
			merged[i] = merged[i].plus(weight)
			continue
		}
		at[string(weight.Script)] = len(merged)
		merged = append(merged, weight)
	}

	return merged, nil
}

// plus adds what the same miner did under another spelling of its address.
func (w Weight) plus(o Weight) Weight {
	w.Score = new(big.Rat).Add(w.Score, o.Score)
	w.Parts = slices.Clone(w.Parts)
	for n, p := range o.Parts {
		w.Parts[n] = Part{new(big.Int).Add(w.Parts[n].Work, p.Work), w.Parts[n].Shares + p.Shares}
	}

	return w
}
