package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// Querier is what *sql.DB and *sql.Tx have in common for reading.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Collect reads all rows of a query with scan and closes them.
func Collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) (_ []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()

	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}

	return all, rows.Err()
}
