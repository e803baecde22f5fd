package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Loss is what the books have and a copy of them has not.
type Loss struct {
	Bookings int   // events of the ledger
	Blocks   int   // found since
	Shares   int64 // accepted since, by their numbers
	Payouts  int   // with a payment that was signed since, or handed out to be signed
	PaidSat  int64 // what these payouts pay
}

// writtenAs returns how the books are written, also when this program is too old to
// read them.
func (b books) writtenAs(ctx context.Context) (v BooksVersion, err error) {
	for name, to := range map[string]*int{ledgerFile: &v.Ledger, sharesFile: &v.Shares} {
		if !exists(b.file(name)) {
			continue
		}
		if *to, err = number[int](ctx, b.file(name), `SELECT user_version FROM pragma_user_version`); err != nil {
			return v, err
		}
	}
	return v, nil
}

// loss compares the books with a copy. It uses only what every version has.
func (b books) loss(ctx context.Context, w WayBack) (l Loss, err error) {
	if w.Shares {
		if l.Shares, err = sharesSince(ctx, b.file(sharesFile), b.kept(w.Name, sharesFile)); err != nil {
			return l, err
		}
	}
	if !w.Ledger {
		return l, nil
	}
	return l, l.ledgerSince(ctx, b.file(ledgerFile), b.kept(w.Name, ledgerFile))
}

// sharesSince counts the shares of a log that an older one has not.
func sharesSince(ctx context.Context, now, then string) (int64, error) {
	const last = `SELECT COALESCE(MAX(to_seq), 0) FROM shift`
	newest, err := number[int64](ctx, now, last)
	if err != nil {
		return 0, err
	}
	old, err := number[int64](ctx, then, last)
	return newest - old, err
}

// ledgerSince adds what a ledger has and an older one has not.
func (l *Loss) ledgerSince(ctx context.Context, now, then string) error {
	for query, to := range map[string]*int{`SELECT COUNT(*) FROM event`: &l.Bookings, `SELECT COUNT(*) FROM block`: &l.Blocks} {
		newest, err := number[int](ctx, now, query)
		if err != nil {
			return err
		}
		old, err := number[int](ctx, then, query)
		if err != nil {
			return err
		}
		*to = newest - old
	}
	return l.paidSince(ctx, now, then)
}

// payment is a payout with a transaction that may be in the chain: it is signed, or
// somebody was given it to sign.
type payment struct{ id, sat int64 }

// paidSince finds the payouts with payments that the older ledger does not know of.
func (l *Loss) paidSince(ctx context.Context, now, then string) error {
	newest, err := payments(ctx, now)
	if err != nil {
		return err
	}
	old, err := payments(ctx, then)
	if err != nil {
		return err
	}
	since := map[payment]bool{}
	for tx, p := range newest {
		if _, known := old[tx]; !known {
			since[p] = true
		}
	}
	for p := range since {
		l.Payouts++
		l.PaidSat += p.sat
	}
	return nil
}

// payments returns the payouts of a ledger by their payments. Old ledgers hand out none.
func payments(ctx context.Context, path string) (list map[string]payment, err error) {
	db := sqlite.View(path)
	defer func() { err = errors.Join(err, db.Close()) }()
	paid := `t.raw IS NOT NULL`
	handsOut, err := number[int](ctx, path, `SELECT COUNT(*) FROM pragma_table_info('payout_tx') WHERE name = 'exported_at'`)
	if err != nil {
		return nil, err
	}
	if handsOut > 0 {
		paid += ` OR t.exported_at IS NOT NULL`
	}
	rows, err := db.QueryContext(ctx, `
		SELECT hex(t.expected), p.id, p.total FROM payout_tx t JOIN payout p ON p.id = t.payout WHERE `+paid)
	if err != nil {
		return nil, fmt.Errorf("read payments of %s: %w", path, err)
	}
	list = map[string]payment{}
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (tx string, err error) {
		var p payment
		err = rows.Scan(&tx, &p.id, &p.sat)
		list[tx] = p
		return tx, err
	})
	if err != nil {
		return nil, fmt.Errorf("read payments of %s: %w", path, err)
	}
	return list, nil
}

// number asks a database of any version for one number.
func number[T int | int64](ctx context.Context, path, query string) (n T, err error) {
	db := sqlite.View(path)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}
