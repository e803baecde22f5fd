package shares

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// retryPause is the time between two attempts to use a database that fails.
const retryPause = time.Second

// writer puts batches into the database, or into the spool. Only one goroutine uses it.
type writer struct {
	db     *sqlite.DB
	spool  *spool
	now    func() time.Time
	logger *slog.Logger

	running *running  // follows what is committed
	past    *past     // is told what is committed into it
	state   *state    // nil when it must be read from the database
	handled int64     // seq of the last share that was stored, spooled or lost
	stored  int64     // the database and its sums hold what there is up to this seq
	retryAt time.Time // until then the database is left alone
	marked  time.Time // the table up covers the time until here
}

// newWriter reads the database's state and stores what a crash left over: the
// spool, and the sums of the newest shares.
func newWriter(ctx context.Context, db *sqlite.DB, opts Options) (*writer, error) {
	spool, err := openSpool(db.Path()+".spool", opts.Logger)
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, spool: spool, now: opts.Now, logger: opts.Logger, marked: opts.Now(), running: new(running), past: new(past)}

	if w.state, err = load(ctx, db.Reader()); err != nil {
		return nil, errors.Join(err, spool.close())
	}
	w.handled = max(w.state.last, spool.last)
	if len(w.state.tail) == 0 {
		w.stored = w.state.last
	}
	if err := w.store(ctx, nil, nil, true); err != nil {
		w.fail("Spooled shares not yet replayed", err)
	}

	return w, nil
}

// write makes the shares durable, and with settle the sums over all shares so
// far. It says whether the rejects were counted, which are not worth a spool. An
// error means that the shares are lost.
func (w *writer) write(ctx context.Context, entries []entry, rejects map[reject]int64, settle bool) (counted bool, err error) {
	if time.Now().Before(w.retryAt) && w.spool.append(entries) == nil {
		w.handle(entries)

		return false, nil
	}

	err = w.store(ctx, entries, rejects, settle)
	w.handle(entries)
	if err == nil {
		return true, nil
	}

	w.fail("Database does not take shares, using the spool", err)
	if spoolErr := w.spool.append(entries); spoolErr != nil {
		w.logger.Error("Shares lost", "shares", len(entries), "err", spoolErr)

		return false, errors.Join(err, spoolErr)
	}

	return false, nil
}

func (w *writer) handle(entries []entry) {
	if len(entries) > 0 {
		w.handled = entries[len(entries)-1].Seq
	}
}

// fail notes that the database failed. What it holds is read again before it is
// used: even a commit that reported an error may have happened.
func (w *writer) fail(message string, err error) {
	w.state = nil
	w.running.lose()
	w.retryAt = time.Now().Add(retryPause)
	w.logger.Error(message, "err", err)
}

// store puts the spool and then the batch into the database.
func (w *writer) store(ctx context.Context, entries []entry, rejects map[reject]int64, settle bool) error {
	if w.state == nil {
		state, err := load(ctx, w.db.Reader())
		if err != nil {
			return err
		}
		w.state = state
	}

	if err := w.replay(ctx); err != nil {
		return err
	}

	now := w.now()
	up := w.uptime(now)
	if len(entries) > 0 || len(rejects) > 0 || len(up) > 0 || settle && len(w.state.tail) > 0 {
		err := w.db.Update(ctx, func(tx *sql.Tx) error {
			if err := w.state.add(ctx, tx, entries, settle); err != nil {
				return err
			}
			if err := w.state.addRejects(ctx, tx, rejects); err != nil {
				return err
			}

			return addUptime(ctx, tx, up)
		})
		if err != nil {
			return fmt.Errorf("store shares: %w", err)
		}
		w.follow()
		w.past.wrote(w.state.flushed, earliest(rejects), now)
		w.state.flushed = math.MaxInt64
	}
	if len(up) > 0 {
		w.marked = now
	}
	if len(w.state.tail) == 0 {
		w.stored = max(w.handled, w.state.last)
	}

	return nil
}

// replay stores what the spool holds and empties it. Shares arrive in the
// database in the order of seq and a batch as a whole, so those that it has
// already, after a crash between the two, are those up to its last seq.
func (w *writer) replay(ctx context.Context) error {
	if w.spool.empty() {
		return nil
	}

	count := 0
	for record, err := range w.spool.records() {
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		fresh := slices.DeleteFunc(record, func(e entry) bool { return e.Seq <= w.state.last })
		err := w.db.Update(ctx, func(tx *sql.Tx) error { return w.state.add(ctx, tx, fresh, true) })
		if err != nil {
			return fmt.Errorf("replay spool: %w", err)
		}
		w.follow()
		w.past.forget()
		count += len(fresh)
	}
	w.logger.Info("Spooled shares replayed", "shares", count)

	return w.spool.clear()
}

// earliest is the first day of rejects.
func earliest(rejects map[reject]int64) int64 {
	first := int64(math.MaxInt64)
	for r := range rejects {
		first = min(first, r.day)
	}

	return first
}

// follow takes the shares that were committed into the running window.
func (w *writer) follow() {
	w.running.follow(w.state.fresh)
	clear(w.state.fresh)
	w.state.fresh = w.state.fresh[:0]
}

// seconds is a part of a 10-minute slot.
type seconds struct {
	slot int64
	n    float64
}

const (
	markEvery = 30 * time.Second // between two writes of the table up
	maxMark   = 2 * time.Minute  // a longer gap means that the machine slept or its clock was set
)

// uptime returns the time since the table up was last written, cut at the border of
// two slots, or nil when it is not worth a write.
func (w *writer) uptime(now time.Time) []seconds {
	elapsed := now.Sub(w.marked)
	if elapsed < 0 || elapsed > maxMark {
		w.marked = now

		return nil
	}

	slot := floor(w.marked.Unix(), tenMinutes)
	border := time.Unix(slot+tenMinutes, 0)
	switch {
	case border.Before(now):
		return []seconds{{slot, border.Sub(w.marked).Seconds()}, {border.Unix(), now.Sub(border).Seconds()}}
	case elapsed >= markEvery:
		return []seconds{{slot, elapsed.Seconds()}}
	default:
		return nil
	}
}

func addUptime(ctx context.Context, tx *sql.Tx, up []seconds) error {
	for _, s := range up {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO up (t, seconds) VALUES (?, min(600, ?))
			ON CONFLICT (t) DO UPDATE SET seconds = min(600, seconds + excluded.seconds)`, s.slot, s.n)
		if err != nil {
			return err
		}
	}

	return nil
}
