package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// AuditStats sums up the audit log.
type AuditStats struct {
	Total, Failed  int64
	Actions        []AuditCount // the most frequent, at most ten
	Oldest, Newest time.Time    // zero: the log is empty
}

// AuditCount is how often something was done.
type AuditCount struct {
	Action string
	Count  int64
}

// AuditStats reads all of the audit log, which takes a moment when it is years old.
func (a *Appliance) AuditStats(ctx context.Context) (AuditStats, error) {
	var s AuditStats
	var oldest, newest int64
	err := a.db.Reader().QueryRowContext(ctx, `
		SELECT COUNT(*), COUNT(*) FILTER (WHERE result NOT IN ('ok', 'shown', 'kept', 'code needed')), COALESCE(MIN(at), 0), COALESCE(MAX(at), 0) FROM audit`,
	).Scan(&s.Total, &s.Failed, &oldest, &newest)
	if err != nil {
		return s, fmt.Errorf("sum up audit log: %w", err)
	}
	if s.Total > 0 {
		s.Oldest, s.Newest = time.UnixMilli(oldest), time.UnixMilli(newest)
	}
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT action, COUNT(*) FROM audit GROUP BY action ORDER BY COUNT(*) DESC, action LIMIT 10`)
	if err != nil {
		return s, fmt.Errorf("sum up audit log: %w", err)
	}
	s.Actions, err = sqlite.Collect(rows, func(r *sql.Rows) (c AuditCount, err error) { return c, r.Scan(&c.Action, &c.Count) })
	if err != nil {
		return s, fmt.Errorf("sum up audit log: %w", err)
	}
	return s, nil
}
