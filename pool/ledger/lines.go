package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Line is one posting with what it is about, as a statement of account lists it.
type Line struct {
	Event
	Posting

	ID      int64      // of the event
	Address string     // of the miner, or the name of an account of the pool
	Block   *LineBlock // nil when the event is not about a block
}

// LineBlock is the block that a line is about.
type LineBlock struct {
	Hash          chainhash.Hash
	Height        int32
	Coinbase      chainhash.Hash // its transaction id
	Value         int64          // sat, of the whole block
	Fee, Donation int64          // sat, of the whole block
}

// Lines returns the postings of the next events after the one with id after, 0
// for the beginning, at most of events events: those on one account, or all with
// account 0. Within an event debits come first. There are no more when it returns
// none. A statement is read in pieces, so that nobody who reads it slowly holds up
// the database.
func (l *Ledger) Lines(ctx context.Context, account, after int64, events int) ([]Line, error) {
	var lines []Line
	err := l.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT e.id, e.key, e.kind, e.ref, e.actor, e.at, p.account, a.address, p.bucket, p.amount
			FROM posting p JOIN event e ON e.id = p.event JOIN account a ON a.id = p.account
			WHERE p.event IN (SELECT DISTINCT event FROM posting WHERE event > ?2 AND (?1 = 0 OR account = ?1) ORDER BY event LIMIT ?3)
			  AND (?1 = 0 OR p.account = ?1)
			ORDER BY p.event, p.amount <= 0, p.account, p.bucket`, account, after, events)
		if err != nil {
			return err
		}
		if lines, err = sqlite.Collect(rows, scanLine); err != nil {
			return err
		}

		return nameBlocks(ctx, tx, lines)
	})
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}

	return lines, nil
}

func scanLine(rows *sql.Rows) (Line, error) {
	var l Line
	var at int64
	err := rows.Scan(&l.ID, &l.Key, &l.Kind, &l.Ref, &l.Actor, &at, &l.Account, &l.Address, &l.Bucket, &l.Amount)
	l.At = time.UnixMilli(at)

	return l, err
}

// nameBlocks fills in the blocks that lines are about.
func nameBlocks(ctx context.Context, q sqlite.Querier, lines []Line) error {
	blocks := map[string]*LineBlock{}
	for i := range lines {
		text, ok := strings.CutPrefix(lines[i].Ref, "blk:")
		if !ok {
			continue
		}
		block, known := blocks[text]
		if !known {
			var err error
			if block, err = lineBlock(ctx, q, text); err != nil {
				return err
			}
			blocks[text] = block
		}
		lines[i].Block = block
	}

	return nil
}

// lineBlock reads a block by its hash in text, nil when there is none.
func lineBlock(ctx context.Context, q sqlite.Querier, text string) (*LineBlock, error) {
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return nil, err
	}
	b := &LineBlock{Hash: *hash}
	err = q.QueryRowContext(ctx, `SELECT height, coinbase_txid, value, COALESCE(fee, 0), COALESCE(donation, 0) FROM block WHERE hash = ?`, hash[:]).
		Scan(&b.Height, hashColumn{&b.Coinbase}, &b.Value, &b.Fee, &b.Donation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}

	return b, err
}

// BlockCredit is what a miner gets of one block.
type BlockCredit struct {
	Hash   chainhash.Hash
	Height int32
	At     time.Time // when it was found
	State  State
	Amount int64 // sat
}

// Credits returns what the miner with this canonical address gets of the latest
// blocks whose window it was in, newest first.
func (l *Ledger) Credits(ctx context.Context, address string, limit int) ([]BlockCredit, error) {
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT b.hash, b.height, b.found_at, b.state, c.amount
		FROM account a
		JOIN block_credit c ON c.account = a.id
		JOIN block b        ON b.id = c.block
		WHERE a.address = ? ORDER BY c.block DESC LIMIT ?`, address, limit)
	if err != nil {
		return nil, fmt.Errorf("read credits: %w", err)
	}
	credits, err := sqlite.Collect(rows, func(rows *sql.Rows) (BlockCredit, error) {
		var c BlockCredit
		var at int64
		err := rows.Scan(hashColumn{&c.Hash}, &c.Height, &at, &c.State, &c.Amount)
		c.At = time.UnixMilli(at)

		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read credits: %w", err)
	}

	return credits, nil
}

// Credited returns what the miner with this canonical address gets of the blocks that
// were found from one time to another, in satoshis. What has left the chain since does
// not count.
func (l *Ledger) Credited(ctx context.Context, address string, from, to time.Time) (sats int64, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `
		SELECT COALESCE(SUM(c.amount), 0)
		FROM account a
		JOIN block_credit c ON c.account = a.id
		JOIN block b        ON b.id = c.block
		WHERE a.address = ? AND b.found_at >= ? AND b.found_at < ? AND b.state IN ('accepted', 'mature')`,
		address, from.UnixMilli(), to.UnixMilli()).Scan(&sats)
	if err != nil {
		return 0, fmt.Errorf("read credits: %w", err)
	}

	return sats, nil
}
