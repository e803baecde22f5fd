//go:build torture

package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// tally is what comparing the answers with the databases yields.
type tally struct{ answered, stored, lost, doubled, blocks int }

// compare holds what the miners were told against what the databases hold, and
// fails the test for each difference.
func (b *torture) compare(dir string, miners []*tortureMiner) tally {
	b.t.Helper()
	var result tally
	if err := errors.Join(b.compareShares(dir, miners, &result), b.compareBlocks(dir, miners, &result)); err != nil {
		b.t.Error(err)
	}
	return result
}

func (b *torture) compareShares(dir string, miners []*tortureMiner, result *tally) (err error) {
	ctx := context.Background()
	l, err := shares.Open(ctx, sharesPath(dir), shares.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := errors.Join(l.DB().Check(ctx), b.checkSums(l.DB().Reader())); err != nil {
		return err
	}
	if err := b.readShares(l.DB().Reader(), miners, result); err != nil {
		return err
	}
	for _, m := range miners {
		for achieved, r := range m.shares {
			if r.accepted {
				result.answered++
			}
			if r.accepted && r.stored == 0 {
				result.lost++
				b.complain("lost: share %d of %s, achieved %g, answered in round %d", r.index, m.worker, achieved, r.round)
			}
			if r.stored > 1 {
				result.doubled++
				b.complain("doubled: share %d of %s, achieved %g, sent in round %d", r.index, m.worker, achieved, r.round)
			}
		}
	}
	return nil
}

// readShares finds the record of each stored share. A miner's shares must be
// stored in the order in which it sent them.
func (b *torture) readShares(db *sql.DB, miners []*tortureMiner, result *tally) error {
	byName := map[string]*tortureMiner{}
	for _, m := range miners {
		byName[m.worker] = m
	}
	rows, err := db.QueryContext(context.Background(), `
		SELECT s.seq, w.name, s.achieved
		FROM share s JOIN worker w ON w.id = s.worker
		ORDER BY s.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	last := map[string]int{}
	for rows.Next() {
		var seq int64
		var name string
		var achieved float64
		if err := rows.Scan(&seq, &name, &achieved); err != nil {
			return err
		}
		result.stored++
		m := byName[name]
		if m == nil || m.shares[achieved] == nil {
			b.complain("share %d of %s, achieved %g, was never sent", seq, name, achieved)
			continue
		}
		r := m.shares[achieved]
		r.stored++
		if r.index < last[name] && !r.again {
			b.complain("share %d is the %dth of %s and comes after its %dth", seq, r.index, name, last[name])
		}
		last[name] = max(last[name], r.index)
	}
	return rows.Err()
}

// checkSums holds the sums of the share log against its single shares.
func (b *torture) checkSums(db *sql.DB) error {
	for name, query := range map[string]string{
		"shifts and ranges": `SELECT count(*) FROM shift h WHERE (SELECT count(*) FROM share WHERE seq BETWEEN from_seq AND to_seq)
		                             <> (SELECT sum(n) FROM shift_work WHERE shift = h.id)`,
		"shifts":   `SELECT (SELECT total(n) FROM shift_work) <> (SELECT count(*) FROM share)`,
		"work":     `SELECT (SELECT total(work) FROM shift) <> (SELECT total(work) FROM share)`,
		"workers":  `SELECT (SELECT total(accepted) FROM worker) <> (SELECT count(*) FROM share)`,
		"roll-ups": `SELECT (SELECT total(accepted) FROM r10m) <> (SELECT count(*) FROM share)`,
	} {
		var wrong int
		if err := db.QueryRowContext(context.Background(), query).Scan(&wrong); err != nil {
			return err
		}
		if wrong != 0 {
			b.complain("%s: %d sums do not agree with the shares", name, wrong)
		}
	}
	return nil
}

// compareBlocks checks the books. Every block whose share was answered true and
// every one that the node took must be in them, with its split.
func (b *torture) compareBlocks(dir string, miners []*tortureMiner, result *tally) (err error) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, ledgerPath(dir), ledger.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	books := ledger.New(db)
	if err := errors.Join(db.Check(ctx), books.Check(ctx)); err != nil {
		return err
	}
	for _, m := range miners {
		for _, r := range m.shares {
			if r.block == nil {
				continue
			}
			block, err := books.Block(ctx, *r.block)
			switch {
			case errors.Is(err, ledger.ErrNotFound):
				if r.accepted || b.node.Block(*r.block) != nil {
					result.lost++
					b.complain("lost: block %s of %s, answered %t, at the node %t, round %d", r.block, m.worker, r.accepted, b.node.Block(*r.block) != nil, r.round)
				}
			case err != nil:
				return err
			default:
				result.blocks++
				b.checkBlock(*r.block, block)
			}
		}
	}
	return nil
}

func (b *torture) checkBlock(hash chainhash.Hash, block ledger.Block) {
	if !block.Frozen {
		b.complain("block %s has no split", hash)
	}
	if b.node.Block(hash) == nil {
		b.complain("block %s of height %d never reached the node, state %s, answer %q", hash, block.Height, block.State, block.SubmitResult)
	}
}
