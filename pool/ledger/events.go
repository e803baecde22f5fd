package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Entry is an event as it stands in the book.
type Entry struct {
	Event

	ID       int64
	Reverses int64     // id of the event it reverses, 0 = none
	Postings []Posting // by account and bucket
}

// EventFilter chooses events; the zero value means all.
type EventFilter struct {
	Account int64  // only those with a posting on it
	Ref     string // only those about it: blk:<hash>, pay:<id>
	Before  int64  // only those with a lower id, for paging
}

// Events returns up to limit events with all their postings, newest first.
func (l *Ledger) Events(ctx context.Context, f EventFilter, limit int) ([]Entry, error) {
	var entries []Entry
	err := l.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT id, key, kind, ref, COALESCE(reverses, 0), actor, at
			FROM event e
			WHERE (?1 = 0 OR EXISTS (SELECT 1 FROM posting p WHERE p.event = e.id AND p.account = ?1))
			  AND (?2 = '' OR ref = ?2)
			  AND (?3 = 0 OR id < ?3)
			ORDER BY id DESC LIMIT ?4`, f.Account, f.Ref, f.Before, limit)
		if err != nil {
			return err
		}
		if entries, err = sqlite.Collect(rows, scanEntry); err != nil {
			return err
		}

		for i := range entries {
			if entries[i].Postings, err = postingsOf(ctx, tx, entries[i].ID); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}

	return entries, nil
}

func scanEntry(rows *sql.Rows) (Entry, error) {
	var e Entry
	var at int64
	err := rows.Scan(&e.ID, &e.Key, &e.Kind, &e.Ref, &e.Reverses, &e.Actor, &at)
	e.At = time.UnixMilli(at)

	return e, err
}
