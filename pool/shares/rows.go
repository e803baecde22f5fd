package shares

import (
	"context"
	"database/sql"
	"strings"
)

// rowsAtOnce is the number of shares that one statement stores: so many cost
// half as much each as one by one, and more save nothing.
const rowsAtOnce = 50

const (
	insertShares = `INSERT INTO share (seq, at_ms, worker, work, difficulty, achieved, late) VALUES `
	shareRow     = `(?, ?, ?, ?, ?, ?, ?)`
	shareColumns = 7
)

// rows gathers single shares for statements that store many of them. The zero
// value is empty.
type rows struct{ args []any }

// add stores a share, now or with flush.
func (r *rows) add(ctx context.Context, tx *sql.Tx, worker int64, e entry) error {
	r.args = append(r.args, e.Seq, e.At.UnixMilli(), worker, e.Work, e.Difficulty, e.Achieved, flag(e.Late))
	if len(r.args) < rowsAtOnce*shareColumns {
		return nil
	}
	args := r.args
	r.args = r.args[:0]
	_, err := tx.ExecContext(ctx, insertShares+strings.Repeat(shareRow+", ", rowsAtOnce-1)+shareRow, args...)

	return err
}

// flush stores the rest, one by one.
func (r *rows) flush(ctx context.Context, tx *sql.Tx) error {
	for args := r.args; len(args) > 0; args = args[shareColumns:] {
		if _, err := tx.ExecContext(ctx, insertShares+shareRow, args[:shareColumns]...); err != nil {
			return err
		}
	}
	r.args = r.args[:0]

	return nil
}
