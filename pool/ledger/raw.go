package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// rawDepth is how many blocks beyond its maturity a block lies when its bytes are
// no longer kept: a chain that loses so much of its end does not need ours.
const rawDepth = 1000

// Proof is what is kept of a block's bytes for ever: it shows what the coinbase
// pays, and that it is part of the block.
type Proof struct {
	Header   []byte           // 80 bytes
	Coinbase []byte           // transaction without witness
	Branch   []chainhash.Hash // merkle branch of the coinbase, lowest first
}

// DropRaw empties Raw of the mature blocks that have maturity + 1000 confirmations
// or more at the chain cursor, and returns how many it emptied. In its place comes
// the Proof that prove makes of it; a block of which it makes none stays as it is
// and is named in the error.
func (l *Ledger) DropRaw(ctx context.Context, maturity int32, prove func(raw []byte) (Proof, error)) (dropped int, err error) {
	tip, _, followed, err := l.Cursor(ctx)
	if err != nil || !followed {
		return 0, err
	}
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT id FROM block WHERE state = 'mature' AND height <= ? AND length(raw) > 0 ORDER BY id`, tip+1-maturity-rawDepth)
	if err != nil {
		return 0, fmt.Errorf("look for raw blocks: %w", err)
	}
	ids, err := sqlite.Collect(rows, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) })
	if err != nil {
		return 0, fmt.Errorf("look for raw blocks: %w", err)
	}

	var failed []error
	for _, id := range ids {
		if err := l.dropRaw(ctx, id, prove); err != nil {
			failed = append(failed, fmt.Errorf("drop raw block %d: %w", id, err))

			continue
		}
		dropped++
	}

	return dropped, errors.Join(failed...)
}

func (l *Ledger) dropRaw(ctx context.Context, id int64, prove func(raw []byte) (Proof, error)) error {
	return l.Update(ctx, func(tx *Tx) error {
		var raw []byte
		if err := tx.QueryRowContext(ctx, `SELECT raw FROM block WHERE id = ?`, id).Scan(&raw); err != nil {
			return err
		}
		p, err := prove(raw)
		if err != nil {
			return err
		}
		branch := make([]byte, 0, len(p.Branch)*chainhash.HashSize)
		for _, h := range p.Branch {
			branch = append(branch, h[:]...)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO block_proof (block, header, coinbase, branch) VALUES (?, ?, ?, ?)`, id, p.Header, p.Coinbase, branch)
		if err != nil {
			return err
		}

		return expectRow(tx.ExecContext(ctx, `UPDATE block SET raw = x'' WHERE id = ?`, id))
	})
}

// proofOf reads what was kept of a block whose bytes were dropped, nil otherwise.
func proofOf(ctx context.Context, q sqlite.Querier, block int64) (*Proof, error) {
	var p Proof
	var branch []byte
	err := q.QueryRowContext(ctx, `SELECT header, coinbase, branch FROM block_proof WHERE block = ?`, block).Scan(&p.Header, &p.Coinbase, &branch)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	for h := range slices.Chunk(branch, chainhash.HashSize) {
		p.Branch = append(p.Branch, chainhash.Hash(h))
	}

	return &p, err
}
