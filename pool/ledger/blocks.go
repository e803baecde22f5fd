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

// watchDepth is the number of blocks for which a block's state is still looked
// at: the usual maturity and a hundred more.
const watchDepth = 220

// Found is a block that a miner found.
type Found struct {
	Hash, Prev   chainhash.Hash
	Height       int32
	At           time.Time
	Address      string // of the finder, canonical
	Script       []byte // of the finder
	Worker       string // name of the finder's device, may be empty
	Work         int64  // expected hashes of the assigned target
	Bits         uint32 // nBits of the header
	CoinbaseTxID chainhash.Hash
	Value        int64 // sat, sum of our own coinbase's outputs
	Terms        Terms
	Raw          []byte // the whole block

	// Only of a block whose coinbase pays miners itself.
	PoolScript []byte // scriptPubKey of the pool's wallet
	Dues       []Due  // of the job, by ascending account; each script once
}

// Block is a found block and its way through the books.
type Block struct {
	Found

	ID           int64 // order of finding, for paging
	State        State
	Submitted    bool   // submitblock answered at least once
	SubmitResult string // its last answer, "" = accepted
	LastConf     int32  // confirmations when the state changed last, 0 = never seen by the node
	Flips        int64  // times its reward was reversed
	Lost         bool   // above the end of a private chain ([Ledger.LoseAbove])

	// Known when Frozen.
	Frozen                 bool
	WinnerSeq              int64      // share log sequence of the winning share
	Fee, Donation, Reserve int64      // sat
	Paid                   int64      // sat, of Value: by the coinbase itself to miners; the rest is the pool's
	Split                  []SplitRow // by account; only from [Ledger.Block]

	Proof *Proof // in place of Raw, once that was dropped; only from [Ledger.Block]
}

// SplitRow is an account's part of a block.
type SplitRow struct {
	Account int64
	Address string
	Score   *big.Rat // in the window
	Amount  int64    // sat
	Paid    int64    // of Amount, by the coinbase itself; the rest is owed
}

// ref names a block in events.
func ref(hash chainhash.Hash) string { return "blk:" + hash.String() }

// RecordFound stores a found block. It is called before the block is submitted,
// because the node may lose it and this copy is what is submitted again. A block
// that is already there stays as it is.
func (l *Ledger) RecordFound(ctx context.Context, f Found) error {
	err := l.Update(ctx, func(tx *Tx) error {
		_, err := blockID(ctx, tx, f.Hash)
		if !errors.Is(err, ErrNotFound) {
			return err
		}

		finder, err := tx.OpenAccount(ctx, f.Address, f.Script, l.now())
		if err != nil {
			return err
		}
		own := f.Terms.PaysMiners()
		if !own {
			f.PoolScript = nil
		}
		var id int64
		err = tx.QueryRowContext(ctx, `
			INSERT INTO block (hash, prev, height, found_at, finder, worker, work, bits, coinbase_txid, value,
			                   settlement, fee_bps, donation_bps, window_milli, underfill, raw, pool_script)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			f.Hash[:], f.Prev[:], f.Height, f.At.UnixMilli(), finder, f.Worker, f.Work, f.Bits, f.CoinbaseTxID[:], f.Value,
			f.Terms.Settlement, f.Terms.FeeBps, f.Terms.DonationBps, f.Terms.WindowMilli, f.Terms.Underfill, f.Raw, f.PoolScript).Scan(&id)
		if err != nil || !own {
			return err
		}

		return l.insertDues(ctx, tx, id, f.Dues)
	})
	if err != nil {
		return fmt.Errorf("record block %s: %w", f.Hash, err)
	}

	return nil
}

// blockID returns the id of a block, or ErrNotFound.
func blockID(ctx context.Context, q sqlite.Querier, hash chainhash.Hash) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM block WHERE hash = ?`, hash[:]).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}

	return id, err
}

const selectBlock = `
	SELECT b.id, b.hash, b.prev, b.height, b.found_at, a.address, a.script, b.worker, b.work, b.bits, b.coinbase_txid, b.value,
	       b.settlement, b.fee_bps, b.donation_bps, b.window_milli, b.underfill,
	       b.state, b.submit_result, COALESCE(b.last_conf, 0), b.flips, b.lost, b.winner_seq,
	       COALESCE(b.fee, 0), COALESCE(b.donation, 0), COALESCE(b.reserve, 0),
	       (SELECT COALESCE(SUM(p.amount), 0) FROM block_payment p WHERE p.block = b.id), `

const fromBlock = `
	FROM block b JOIN account a ON a.id = b.finder
	WHERE `

// scanBlock reads a row of selectBlock.
func scanBlock(row interface{ Scan(dest ...any) error }) (Block, error) {
	var b Block
	var found int64
	var result sql.NullString
	var winner sql.NullInt64
	err := row.Scan(
		&b.ID, hashColumn{&b.Hash}, hashColumn{&b.Prev}, &b.Height, &found, &b.Address, &b.Script, &b.Worker, &b.Work, &b.Bits, hashColumn{&b.CoinbaseTxID}, &b.Value,
		&b.Terms.Settlement, &b.Terms.FeeBps, &b.Terms.DonationBps, &b.Terms.WindowMilli, &b.Terms.Underfill,
		&b.State, &result, &b.LastConf, &b.Flips, &b.Lost, &winner,
		&b.Fee, &b.Donation, &b.Reserve, &b.Paid, &b.Raw)
	b.At = time.UnixMilli(found)
	b.Submitted, b.SubmitResult = result.Valid, result.String
	b.Frozen, b.WinnerSeq = winner.Valid, winner.Int64

	return b, err
}

// Unfinished returns the blocks whose state can still change, oldest first and
// with Raw: those that the node has not judged, and the others for some 220
// blocks. The depth is counted from the chain cursor or the newest found block. Of
// those that were lost for good, the ones that were deep enough are left alone.
func (l *Ledger) Unfinished(ctx context.Context) ([]Block, error) {
	blocks, err := l.blocks(ctx, selectBlock+`b.raw`+fromBlock+`
		b.state IN ('found', 'unknown', 'accepted')
		OR b.lost = 0 AND b.height > MAX(COALESCE((SELECT height FROM chain_cursor), 0), (SELECT MAX(height) FROM block WHERE lost = 0)) - ?
		ORDER BY b.id`, watchDepth)
	if err != nil {
		return nil, fmt.Errorf("read unfinished blocks: %w", err)
	}

	return blocks, nil
}

// Above returns the blocks higher than height that the node has or may have had,
// lowest first and with Raw: what a node that lost the end of its chain is given
// again, parents before children. Those that were lost for good are not among them.
func (l *Ledger) Above(ctx context.Context, height int32) ([]Block, error) {
	blocks, err := l.blocks(ctx, selectBlock+`b.raw`+fromBlock+`
		b.height > ? AND b.state IN ('found', 'unknown', 'accepted', 'mature') AND b.lost = 0
		ORDER BY b.height, b.id`, height)
	if err != nil {
		return nil, fmt.Errorf("read blocks above %d: %w", height, err)
	}

	return blocks, nil
}

// Blocks returns up to limit found blocks, newest first, without Raw and Split:
// those with an id below before, or the newest when before is 0.
func (l *Ledger) Blocks(ctx context.Context, limit int, before int64) ([]Block, error) {
	blocks, err := l.blocks(ctx, selectBlock+`NULL`+fromBlock+`
		? = 0 OR b.id < ?
		ORDER BY b.id DESC LIMIT ?`, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}

	return blocks, nil
}

// BlocksAt returns the found blocks of one height, newest first, without Raw and
// Split. There may be several: one that lost against a stranger's, and its successor.
func (l *Ledger) BlocksAt(ctx context.Context, height int32) ([]Block, error) {
	blocks, err := l.blocks(ctx, selectBlock+`NULL`+fromBlock+`b.height = ? ORDER BY b.id DESC`, height)
	if err != nil {
		return nil, fmt.Errorf("read blocks at %d: %w", height, err)
	}

	return blocks, nil
}

// CountBlocks returns how many blocks were found, by state.
func (l *Ledger) CountBlocks(ctx context.Context) (map[State]int64, error) {
	rows, err := l.db.Reader().QueryContext(ctx, `SELECT state, COUNT(*) FROM block GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count blocks: %w", err)
	}
	defer func() { _ = rows.Close() }()

	counts := map[State]int64{}
	for rows.Next() {
		var state State
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count blocks: %w", err)
		}
		counts[state] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count blocks: %w", err)
	}

	return counts, nil
}

func (l *Ledger) blocks(ctx context.Context, query string, args ...any) ([]Block, error) {
	rows, err := l.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (Block, error) { return scanBlock(rows) })
}

// Block returns a block with Raw, or with Proof where that was dropped
// ([Ledger.DropRaw]), and with Split, or [ErrNotFound].
func (l *Ledger) Block(ctx context.Context, hash chainhash.Hash) (Block, error) {
	var b Block
	err := l.read(ctx, func(tx *sql.Tx) (err error) {
		b, err = scanBlock(tx.QueryRowContext(ctx, selectBlock+`b.raw`+fromBlock+`b.hash = ?`, hash[:]))
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if b.Proof, err = proofOf(ctx, tx, b.ID); err != nil {
			return err
		}
		b.Split, err = splitOf(ctx, tx, b.ID)

		return err
	})
	if err != nil {
		return Block{}, fmt.Errorf("read block %s: %w", hash, err)
	}

	return b, nil
}

// splitOf reads the frozen split of a block by ascending account.
func splitOf(ctx context.Context, q sqlite.Querier, block int64) ([]SplitRow, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT w.account, a.address, w.weight, c.amount, COALESCE(p.amount, 0)
		FROM block_weight w
		LEFT JOIN block_payment p ON p.block = w.block AND p.account = w.account
		JOIN block_credit c ON c.block = w.block AND c.account = w.account
		JOIN account a ON a.id = w.account
		WHERE w.block = ? ORDER BY w.account`, block)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(rows *sql.Rows) (SplitRow, error) {
		var r SplitRow
		var score string
		if err := rows.Scan(&r.Account, &r.Address, &score, &r.Amount, &r.Paid); err != nil {
			return r, err
		}
		var ok bool
		if r.Score, ok = new(big.Rat).SetString(score); !ok {
			return r, fmt.Errorf("weight %q of account %d is not a number", score, r.Account)
		}

		return r, nil
	})
}
