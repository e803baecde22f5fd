package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Nothing is ever taken out of the audit log, and strangers can make entries by
// failing to sign in. So that they cannot fill the disk, the first failure of its
// kind is an entry at once, and those that follow within an hour are counted, and
// become one more entry. Whoever comes from many addresses is counted together
// beyond maxRepeats: no more than two entries an hour for each of these.
const (
	repeatWindow = time.Hour
	maxRepeats   = 32
	manyPlaces   = "several" // in place of an address
)

// Where an entry's detail tells of failures that were counted.
const (
	DetailTimes = "times"
	DetailSince = "since"
)

// auditFailure writes an entry that a stranger can cause, or counts it; as Audit
// does, also for one who does not wait for the answer.
func (a *Appliance) auditFailure(ctx context.Context, e AuditEntry) error {
	ctx = context.WithoutCancel(ctx)
	e.At = time.Now()
	if err := a.closeRepeats(ctx, e.At); err != nil {
		return err
	}
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		counted, err := countRepeat(ctx, tx, e)
		if err != nil || counted {
			return err
		}
		var kinds int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_repeat`).Scan(&kinds); err != nil {
			return fmt.Errorf("read repeated failures: %w", err)
		}
		if kinds >= maxRepeats {
			e.Actor, e.IP = "unknown", manyPlaces
			if counted, err := countRepeat(ctx, tx, e); err != nil || counted {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO audit_repeat (actor, action, result, ip, since, last) VALUES (?, ?, ?, ?, ?, ?)`,
			e.Actor, e.Action, e.Result, e.IP, e.At.UnixMilli(), e.At.UnixMilli())
		if err != nil {
			return fmt.Errorf("count failure: %w", err)
		}
		return writeAudit(ctx, tx, e)
	})
}

func countRepeat(ctx context.Context, tx *sql.Tx, e AuditEntry) (counted bool, err error) {
	result, err := tx.ExecContext(ctx, `
		UPDATE audit_repeat SET times = times + 1, last = ? WHERE actor = ? AND action = ? AND result = ? AND ip = ?`,
		e.At.UnixMilli(), e.Actor, e.Action, e.Result, e.IP)
	if err != nil {
		return false, fmt.Errorf("count failure: %w", err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// closeRepeats makes an entry of each count whose hour is over.
func (a *Appliance) closeRepeats(ctx context.Context, now time.Time) error {
	before := now.Add(-repeatWindow).UnixMilli()
	var over int
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_repeat WHERE since <= ?`, before).Scan(&over); err != nil || over == 0 {
		return err
	}
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `
			DELETE FROM audit_repeat WHERE since <= ? RETURNING actor, action, result, ip, since, last, times`, before)
		if err != nil {
			return fmt.Errorf("read repeated failures: %w", err)
		}
		counts, err := sqlite.Collect(rows, scanRepeat)
		if err != nil {
			return fmt.Errorf("read repeated failures: %w", err)
		}
		for _, e := range counts {
			if e.Detail == nil {
				continue
			}
			if err := writeAudit(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// scanRepeat makes an entry of a count; one without detail counted nothing.
func scanRepeat(rows *sql.Rows) (AuditEntry, error) {
	var e AuditEntry
	var since, last, times int64
	if err := rows.Scan(&e.Actor, &e.Action, &e.Result, &e.IP, &since, &last, &times); err != nil {
		return e, err
	}
	e.At = time.UnixMilli(last)
	if times > 0 {
		e.Detail = map[string]string{DetailTimes: strconv.FormatInt(times, 10), DetailSince: time.UnixMilli(since).UTC().Format(time.RFC3339)}
	}
	return e, nil
}
