package shares

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Window is the work that a block is shared by.
type Window struct {
	Seq     int64     // the newest share in it, that of the block
	Entries []Entry   // the accounts, in the order of their first accepted shares
	Epochs  []Epoch   // the work behind the scores, newest first
	Sum     *big.Rat  // of all scores: exactly X, or less when the log is shorter
	From    time.Time // when the oldest shift in it began
	FromSeq int64     // first share of that shift
}

// Entry is the score of one account in a [Window]: the sum over the epochs of
// Work · Take / the network's work.
type Entry struct {
	Address string
	Script  []byte   // identifies the account
	Score   *big.Rat // above 0
	Parts   []Part   // what it did in each of the window's Epochs
}

// Window returns the newest shares up to and including seq whose scores add up
// to windowMilli thousandths, exactly. The shift that does not fit in whole counts
// with the same fraction for all its workers. Window waits until share seq is in
// the database.
//
// seq is normally the share of a block, and those end their shift. The part of a
// shift up to any other seq is found by its single shares, which are kept for 48
// hours; later that is an error.
func (l *Log) Window(ctx context.Context, seq, windowMilli int64) (Window, error) {
	if windowMilli < 1 {
		return Window{}, fmt.Errorf("window of %d thousandths is empty", windowMilli)
	}
	if err := l.await(ctx, seq); err != nil {
		return Window{}, err
	}

	w, err := l.window(ctx, seq, big.NewRat(windowMilli, 1000))
	if err != nil {
		return Window{}, fmt.Errorf("read window of share %d: %w", seq, err)
	}

	return w, nil
}

func (l *Log) window(ctx context.Context, seq int64, limit *big.Rat) (Window, error) {
	tx, err := l.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Window{}, err
	}
	defer func() { _ = tx.Rollback() }()

	t := newTally(limit)
	before, err := addNewest(ctx, tx, t, seq)
	if err != nil {
		return Window{}, err
	}
	if err := addShifts(ctx, tx, t, before); err != nil {
		return Window{}, err
	}

	var g gathering
	for _, r := range t.counted() {
		if r.parts == nil {
			if r.parts, err = workOf(ctx, tx, r); err != nil {
				return Window{}, err
			}
		}
		g.add(r)
	}
	w := Window{Seq: seq, Epochs: g.epochs, From: time.UnixMilli(t.fromMS), FromSeq: t.fromSeq}

	return w, w.enter(ctx, tx, g.work)
}

// addNewest adds the shift of share seq up to that share when it goes on behind
// it. It returns the id below which whole shifts follow.
func addNewest(ctx context.Context, tx *sql.Tx, t *tally, seq int64) (before int64, err error) {
	var s shift
	err = tx.QueryRowContext(ctx, `
		SELECT id, from_seq, to_seq, nbits, opened_ms FROM shift WHERE from_seq <= ? ORDER BY from_seq DESC LIMIT 1`,
		seq).Scan(&s.id, &s.from, &s.to, &s.bits, &s.openedMS)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errors.New("there are no shares")
	}
	if err != nil || s.to <= seq {
		return s.id + 1, err
	}

	parts, err := workUpTo(ctx, tx, s.from, seq)
	if err != nil {
		return 0, err
	}
	if len(parts) == 0 {
		return 0, errors.New("its shift goes on behind it and the single shares are no longer kept")
	}
	for _, p := range parts {
		s.work += p.Work.Int64()
	}
	_, err = t.add(s, parts)

	return s.id, err
}

// addShifts adds shifts below an id, the newest first, until the tally is full.
func addShifts(ctx context.Context, tx *sql.Tx, t *tally, before int64) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, from_seq, nbits, opened_ms, work FROM shift WHERE id < ? ORDER BY id DESC`, before)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	for !t.full && rows.Next() {
		var s shift
		if err := rows.Scan(&s.id, &s.from, &s.bits, &s.openedMS, &s.work); err != nil {
			return err
		}
		if _, err := t.add(s, nil); err != nil {
			return err
		}
	}

	return rows.Err()
}

// enter turns the work of workers into entries of accounts.
func (w *Window) enter(ctx context.Context, tx *sql.Tx, work []map[int64]Part) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, address, script FROM worker ORDER BY id`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()

	place := map[string]int{}
	for rows.Next() {
		var id int64
		var e Entry
		if err := rows.Scan(&id, &e.Address, &e.Script); err != nil {
			return err
		}
		if !slices.ContainsFunc(work, func(parts map[int64]Part) bool { return parts[id].Work != nil }) {
			continue
		}
		i, ok := place[string(e.Script)]
		if !ok {
			i = len(w.Entries)
			place[string(e.Script)] = i
			e.Parts = make([]Part, len(w.Epochs))
			for n := range e.Parts {
				e.Parts[n].Work = new(big.Int)
			}
			w.Entries = append(w.Entries, e)
		}
		for n, parts := range work {
			w.Entries[i].Parts[n].add(parts[id])
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}

	return w.score()
}

// score computes the scores from the parts.
func (w *Window) score() error {
	w.Sum = new(big.Rat)
	worth := make([]*big.Rat, len(w.Epochs)) // of one hash
	for n, e := range w.Epochs {
		network, err := networkWork(e.Bits)
		if err != nil {
			return err
		}
		worth[n] = new(big.Rat).Quo(e.Take, new(big.Rat).SetInt(network))
		w.Sum.Add(w.Sum, new(big.Rat).Mul(worth[n], new(big.Rat).SetInt(e.Work)))
	}

	for i := range w.Entries {
		e := &w.Entries[i]
		e.Score = new(big.Rat)
		for n, p := range e.Parts {
			if p.Work.Sign() > 0 {
				e.Score.Add(e.Score, new(big.Rat).Mul(worth[n], new(big.Rat).SetInt(p.Work)))
			}
		}
	}

	return nil
}

// Winner returns the seq of the share that found a block, and false when no
// such share was logged. It takes into account what was appended before the call.
func (l *Log) Winner(ctx context.Context, block chainhash.Hash) (seq int64, ok bool, err error) {
	if err := l.await(ctx, l.Last()); err != nil {
		return 0, false, err
	}

	err = l.db.Reader().QueryRowContext(ctx, `SELECT seq FROM winner WHERE block = ?`, block[:]).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("find winning share: %w", err)
	}

	return seq, true, nil
}

// RoundWork returns the effort of the round that began after share sinceSeq, 0
// or the share of a block: the sum of the scores since then. At 1 as much work
// was done as a block takes on average. It sees what is committed.
func (l *Log) RoundWork(ctx context.Context, sinceSeq int64) (*big.Rat, error) {
	efforts, err := l.RoundWorks(ctx, []int64{sinceSeq, math.MaxInt64})
	if err != nil {
		return nil, err
	}

	return efforts[0], nil
}

// RoundWorks returns the efforts of several rounds: of the one after the share
// ends[0] up to ends[1], and so on. Each end is the share of a block, in order;
// the first may be 0. It reads the shifts of all of them once.
func (l *Log) RoundWorks(ctx context.Context, ends []int64) ([]*big.Rat, error) {
	if len(ends) < 2 {
		return nil, nil
	}

	sums := make([]map[uint32]*big.Int, len(ends)-1) // by the network's target
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT nbits, work, to_seq FROM shift WHERE to_seq > ? AND to_seq <= ?`, ends[0], ends[len(ends)-1])
	if err != nil {
		return nil, fmt.Errorf("read effort: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var bits uint32
		var work, to int64
		if err := rows.Scan(&bits, &work, &to); err != nil {
			return nil, fmt.Errorf("read effort: %w", err)
		}
		end, _ := slices.BinarySearch(ends, to)
		round := &sums[end-1]
		if *round == nil {
			*round = map[uint32]*big.Int{}
		}
		if (*round)[bits] == nil {
			(*round)[bits] = new(big.Int)
		}
		(*round)[bits].Add((*round)[bits], big.NewInt(work))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read effort: %w", err)
	}

	efforts := make([]*big.Rat, len(sums))
	for i, round := range sums {
		efforts[i] = new(big.Rat)
		for bits, sum := range round {
			network, err := networkWork(bits)
			if err != nil {
				return nil, fmt.Errorf("read effort: %w", err)
			}
			efforts[i].Add(efforts[i], new(big.Rat).SetFrac(sum, network))
		}
	}

	return efforts, nil
}
