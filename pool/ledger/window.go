package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Window is who worked how much for a block.
type Window struct {
	WinnerSeq int64     // share log sequence of the winning share, the newest in the window
	FromSeq   int64     // and of the oldest one
	From      time.Time // when the oldest shift began
	Epochs    []Epoch   // newest first; none when only the scores are known
	Weights   []Weight
}

// Epoch is the part of a window that was worked against one network difficulty.
type Epoch struct {
	Bits uint32
	Take *big.Rat // how much of the work counts: 1, less where the window ends
}

// Weight is what a miner did in the window of a block.
type Weight struct {
	Address string // canonical
	Script  []byte
	Score   *big.Rat // as in AccountWeight
	Parts   []Part   // for each epoch of the window
}

// Part is what a miner did in an epoch.
type Part struct {
	Work   *big.Int // in expected hashes; 0 = nothing
	Shares int64
}

// insertWindow stores the work behind the weights of a block; accounts are those
// of the window's weights. A window without epochs has nothing to store.
func insertWindow(ctx context.Context, tx *Tx, block int64, w Window, accounts []AccountWeight) error {
	if len(w.Epochs) == 0 {
		return nil
	}

	_, err := tx.ExecContext(ctx, `INSERT INTO block_window (block, from_seq, from_ms) VALUES (?, ?, ?)`,
		block, w.FromSeq, w.From.UnixMilli())
	if err != nil {
		return err
	}
	for n, e := range w.Epochs {
		_, err := tx.ExecContext(ctx, `INSERT INTO block_epoch (block, n, bits, take) VALUES (?, ?, ?, ?)`,
			block, n, e.Bits, e.Take.RatString())
		if err != nil {
			return err
		}
	}
	for i, weight := range w.Weights {
		for n, p := range weight.Parts {
			if p.Work.Sign() == 0 {
				continue
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO block_work (block, n, account, work, shares) VALUES (?, ?, ?, ?, ?)`,
				block, n, accounts[i].Account, p.Work.String(), p.Shares)
			if err != nil {
				return err
			}
		}
	}

	return nil
}

// Window returns what the split of a block was frozen from, its weights by
// ascending account as in [Block.Split]. It is [ErrNotFound] when there is no such
// block or its split is not frozen yet. Blocks that were frozen by an early version
// have no epochs.
func (l *Ledger) Window(ctx context.Context, hash chainhash.Hash) (Window, error) {
	var w Window
	err := l.read(ctx, func(tx *sql.Tx) error {
		b, err := lookUp(ctx, tx, hash)
		if err != nil {
			return err
		}
		if !b.frozen {
			return ErrNotFound
		}
		w.WinnerSeq = b.winnerSeq

		return w.load(ctx, tx, b.id)
	})
	if err != nil {
		return Window{}, fmt.Errorf("read window of block %s: %w", hash, err)
	}

	return w, nil
}

func (w *Window) load(ctx context.Context, tx *sql.Tx, block int64) error {
	var from int64
	err := tx.QueryRowContext(ctx, `SELECT from_seq, from_ms FROM block_window WHERE block = ?`, block).Scan(&w.FromSeq, &from)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		w.From = time.UnixMilli(from)
	}

	rows, err := tx.QueryContext(ctx, `SELECT bits, take FROM block_epoch WHERE block = ? ORDER BY n`, block)
	if err != nil {
		return err
	}
	w.Epochs, err = sqlite.Collect(rows, func(rows *sql.Rows) (Epoch, error) {
		e := Epoch{Take: new(big.Rat)}
		err := rows.Scan(&e.Bits, ratColumn{e.Take})

		return e, err
	})
	if err != nil {
		return err
	}

	place := map[int64]int{}
	if err := w.loadWeights(ctx, tx, block, place); err != nil {
		return err
	}

	return w.loadWork(ctx, tx, block, place)
}

// loadWeights fills in the weights, and for each account its place among them.
func (w *Window) loadWeights(ctx context.Context, tx *sql.Tx, block int64, place map[int64]int) error {
	rows, err := tx.QueryContext(ctx, `
		SELECT w.account, a.address, a.script, w.weight
		FROM block_weight w JOIN account a ON a.id = w.account
		WHERE w.block = ? ORDER BY w.account`, block)
	if err != nil {
		return err
	}
	w.Weights, err = sqlite.Collect(rows, func(rows *sql.Rows) (Weight, error) {
		var account int64
		weight := Weight{Score: new(big.Rat), Parts: make([]Part, len(w.Epochs))}
		for n := range weight.Parts {
			weight.Parts[n].Work = new(big.Int)
		}
		err := rows.Scan(&account, &weight.Address, &weight.Script, ratColumn{weight.Score})
		place[account] = len(place)

		return weight, err
	})

	return err
}

func (w *Window) loadWork(ctx context.Context, tx *sql.Tx, block int64, place map[int64]int) error {
	rows, err := tx.QueryContext(ctx, `SELECT account, n, work, shares FROM block_work WHERE block = ?`, block)
	if err != nil {
		return err
	}
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var account, n int64
		var work string
		var p Part
		if err := rows.Scan(&account, &n, &work, &p.Shares); err != nil {
			return struct{}{}, err
		}
		var ok bool
		if p.Work, ok = new(big.Int).SetString(work, 10); !ok {
			return struct{}{}, fmt.Errorf("work %q of account %d is not a number", work, account)
		}
		w.Weights[place[account]].Parts[n] = p

		return struct{}{}, nil
	})

	return err
}

// ratColumn reads an exact fraction.
type ratColumn struct{ to *big.Rat }

// Scan implements [sql.Scanner].
func (c ratColumn) Scan(value any) error {
	text, _ := value.(string)
	if _, ok := c.to.SetString(text); !ok {
		return fmt.Errorf("%q is not a fraction", text)
	}

	return nil
}
