package alert

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Alert is what a rule has noticed, of one thing or of several.
type Alert struct {
	ID          int64
	Rule        string // key
	Type        string
	Name        string // the operators' words for the rule; empty: none
	Level       Level
	Lasting     bool
	RaisedAt    time.Time
	OverAt      time.Time // zero: it is still so
	DismissedAt time.Time // zero: it stands on the page
	DismissedBy string
	Count       int     // of what it is about
	About       []About // the first of them
}

// Over tells whether it has ended, or was but an event.
func (a Alert) Over() bool { return !a.OverAt.IsZero() }

// About is one of the things that an alert is about.
type About struct {
	Subject string
	Detail  map[string]string
	OverAt  time.Time // zero: it is still so
}

// listed is how many things of an alert are read: a message or a page can say no more.
const listed = 50

// Filter chooses alerts; the zero value means all.
type Filter struct {
	Open   bool   // only those that nobody has dismissed
	Type   string // only of this type
	Level  Level  // only of this level
	Before int64  // only those with a lower id, for paging
}

const selectAlert = `
	SELECT id, rule, type, name, level, lasting, raised_at, over_at, dismissed_at, dismissed_by,
	       (SELECT COUNT(*) FROM alert_about o WHERE o.alert = a.id)
	  FROM alert a `

// Alerts returns up to limit alerts, the newest first.
func (b *Bell) Alerts(ctx context.Context, f Filter, limit int) ([]Alert, error) {
	return b.alerts(ctx, selectAlert+`
		WHERE (?1 = 0 OR dismissed_at IS NULL) AND (?2 = '' OR type = ?2) AND (?3 = '' OR level = ?3) AND (?4 = 0 OR id < ?4)
		ORDER BY id DESC LIMIT ?5`, f.Open, f.Type, string(f.Level), f.Before, limit)
}

func (b *Bell) alerts(ctx context.Context, query string, args ...any) ([]Alert, error) {
	rows, err := b.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	list, err := sqlite.Collect(rows, func(r *sql.Rows) (Alert, error) {
		var a Alert
		var raised int64
		var over, dismissed sql.NullInt64
		err := r.Scan(&a.ID, &a.Rule, &a.Type, &a.Name, &a.Level, &a.Lasting, &raised, &over, &dismissed, &a.DismissedBy, &a.Count)
		a.RaisedAt, a.OverAt, a.DismissedAt = time.UnixMilli(raised), moment(over), moment(dismissed)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	for i := range list {
		if list[i].About, err = b.about(ctx, list[i].ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (b *Bell) about(ctx context.Context, alert int64) ([]About, error) {
	rows, err := b.db.Reader().QueryContext(ctx, `
		SELECT subject, detail, over_at FROM alert_about WHERE alert = ? ORDER BY over_at IS NOT NULL, subject LIMIT ?`, alert, listed)
	if err != nil {
		return nil, fmt.Errorf("read alert: %w", err)
	}
	list, err := sqlite.Collect(rows, func(r *sql.Rows) (About, error) {
		var a About
		var detail string
		var over sql.NullInt64
		if err := r.Scan(&a.Subject, &detail, &over); err != nil {
			return a, err
		}
		a.OverAt = moment(over)
		return a, json.Unmarshal([]byte(detail), &a.Detail)
	})
	if err != nil {
		return nil, fmt.Errorf("read alert: %w", err)
	}
	return list, nil
}

func moment(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}

// Open counts the alerts that nobody has dismissed.
func (b *Bell) Open(ctx context.Context) (n int, err error) {
	if err := b.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM alert WHERE dismissed_at IS NULL`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count alerts: %w", err)
	}
	return n, nil
}

// Dismiss takes an alert off the page, in the transaction of its audit row, or
// [ErrNotFound] when it is not there any more. What lasts goes on; it is not told again
// before it is over.
func (b *Bell) Dismiss(ctx context.Context, tx *sql.Tx, id int64, by string) error {
	n, err := b.dismiss(ctx, tx, `id = ?`, by, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DismissOver takes all alerts up to an id off the page that are over, and returns how
// many.
func (b *Bell) DismissOver(ctx context.Context, tx *sql.Tx, upTo int64, by string) (int64, error) {
	return b.dismiss(ctx, tx, `over_at IS NOT NULL AND id <= ?`, by, upTo)
}

func (b *Bell) dismiss(ctx context.Context, tx *sql.Tx, which, by string, id int64) (int64, error) {
	result, err := tx.ExecContext(ctx, `
		UPDATE alert SET dismissed_at = ?, dismissed_by = ? WHERE dismissed_at IS NULL AND `+which, b.now().UnixMilli(), by, id)
	if err != nil {
		return 0, fmt.Errorf("dismiss alert: %w", err)
	}
	return result.RowsAffected()
}

const (
	pruneEvery = 6 * time.Hour
	keptAlerts = 2000                // besides those that last
	keptSeen   = 3000                // for each rule; a snapshot has a few hundred
	keptLog    = 90 * 24 * time.Hour // of deliveries
)

// prune removes what is older than it has to be kept.
func (b *Bell) prune(ctx context.Context) error {
	err := b.db.Update(ctx, func(tx *sql.Tx) error {
		for _, one := range []struct {
			query string
			arg   any
		}{
			{`DELETE FROM alert WHERE over_at IS NOT NULL AND id <= (SELECT MAX(id) FROM alert) - ?
			     AND NOT EXISTS (SELECT 1 FROM alert_delivery d WHERE d.alert = alert.id AND d.state = 'waiting')`, keptAlerts},
			{`DELETE FROM alert_seen WHERE subject <> '' AND id NOT IN (
			      SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY rule ORDER BY id DESC) AS n FROM alert_seen) WHERE n <= ?)`, keptSeen},
			{`DELETE FROM alert_delivery WHERE state <> 'waiting' AND at < ?`, b.now().Add(-keptLog).UnixMilli()},
		} {
			if _, err := tx.ExecContext(ctx, one.query, one.arg); err != nil {
				return fmt.Errorf("remove old alerts: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.loaded = false // it may have remembered more
	b.mu.Unlock()
	return nil
}
