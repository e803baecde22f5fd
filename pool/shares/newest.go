package shares

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// LastShare returns when the newest share was accepted, zero when there is none.
func (l *Log) LastShare(ctx context.Context) (time.Time, error) {
	return LastShareIn(ctx, l.db.Reader())
}

// LastShareIn is [Log.LastShare] of a database that nobody has opened as a log.
func LastShareIn(ctx context.Context, db *sql.DB) (time.Time, error) {
	var last int64
	err := db.QueryRowContext(ctx, `SELECT coalesce(max(last_ms), 0) FROM worker`).Scan(&last)
	if err != nil {
		return time.Time{}, fmt.Errorf("read newest share: %w", err)
	}
	if last == 0 {
		return time.Time{}, nil
	}

	return time.UnixMilli(last), nil
}
