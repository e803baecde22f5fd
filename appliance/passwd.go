package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// SetPassword gives the operator of a data directory a new password and ends
// all web sessions. It works beside a running daemon; whoever can write to the
// data directory needs no other proof. It returns the operator's name.
func SetPassword(ctx context.Context, dir, password string) (user string, err error) {
	d := dataDir{dir}
	network, err := d.network()
	if err != nil {
		return "", err
	}
	if network == "" {
		return "", fmt.Errorf("%s is not the data directory of a box; name it with --data-dir", dir)
	}
	db, err := sqlite.Open(ctx, d.ledger(network), ledger.Schema)
	if err != nil {
		return "", fmt.Errorf("open ledger: %w", err)
	}
	defer db.Close()
	err = db.Update(ctx, func(tx *sql.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, `SELECT id, name FROM operator ORDER BY id LIMIT 1`).Scan(&id, &user)
		if errors.Is(err, sql.ErrNoRows) {
			return errors.New("this box has no operator yet; run dmpool setup first")
		}
		if err != nil {
			return fmt.Errorf("read operator: %w", err)
		}
		if err := CheckPassword(password, user); err != nil {
			return err
		}
		hash, err := HashPassword(password)
		if err != nil {
			return err
		}
		now := time.Now()
		if _, err := tx.ExecContext(ctx, `UPDATE operator SET password_hash = ?, updated_at = ? WHERE id = ?`,
			hash, now.UnixMilli(), id); err != nil {
			return fmt.Errorf("write password: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM web_session`); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return writeAudit(ctx, tx, AuditEntry{At: now, Actor: "terminal", Action: "password", Object: user, Result: "ok"})
	})
	return user, err
}
