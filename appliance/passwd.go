package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrWhichOperator says that a box has several operators and none was named.
var ErrWhichOperator = errors.New("this box has several operators; name one with --user")

// SetPassword gives an operator of a data directory a new password, or makes a new
// operator when nobody has this name, ends all web sessions, and revokes the
// operator's tokens: who comes here may not know what else is in the wrong hands. Without a name it
// is the box's only operator, or ErrWhichOperator. It works beside a running
// daemon; whoever can write to the data directory needs no other proof. It returns
// the operator's name and whether the operator is new.
func SetPassword(ctx context.Context, dir, user, password string) (name string, added bool, err error) {
	err = atTerminal(ctx, dir, func(tx *sql.Tx) error {
		op, err := meant(ctx, tx, user)
		if err != nil {
			return err
		}
		name, added = op.Name, op.ID == 0
		hash, err := checkedHash(password, name)
		if err != nil {
			return err
		}
		entry := AuditEntry{At: time.Now(), Actor: "terminal", Action: "password", Object: name, Result: "ok"}
		if added {
			entry.Action = "operator.add"
			err = addOperator(ctx, tx, name, hash, entry.At)
		} else {
			_, err = writePassword(ctx, tx, op, hash, entry.At)
		}
		if err == nil {
			err = endTokens(ctx, tx, RevokeTokens, op.ID, entry)
		}
		if err != nil {
			return err
		}
		for _, query := range []string{`DELETE FROM web_session`, `DELETE FROM api_token WHERE kind = 'login'`} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
		}
		return writeAudit(ctx, tx, entry)
	})
	return name, added, err
}

// ResetFactor takes away the second factor of an operator who has lost it, as
// [SetPassword] gives a new password, and ends their sessions and tokens. It returns the
// operator's name, and whether there was one.
func ResetFactor(ctx context.Context, dir, user string) (name string, had bool, err error) {
	err = atTerminal(ctx, dir, func(tx *sql.Tx) error {
		op, err := meant(ctx, tx, user)
		if err != nil {
			return err
		}
		if name = op.Name; op.ID == 0 {
			return fmt.Errorf("this box has no operator %s", name)
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM second_factor WHERE operator = ?`, op.ID)
		if err != nil {
			return fmt.Errorf("remove second factor: %w", err)
		}
		n, err := result.RowsAffected()
		if had = n > 0; err != nil || !had {
			return err
		}
		now := time.Now()
		if _, err := accessChanged(ctx, tx, op.ID, now); err != nil {
			return err
		}
		entry := AuditEntry{At: now, Actor: "terminal", Action: "factor.remove", Object: name, Result: "ok"}
		if err := endTokens(ctx, tx, RevokeTokens, op.ID, entry); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	})
	return name, had, err
}

// atTerminal changes the books of a data directory in one transaction, beside a
// daemon that may run.
func atTerminal(ctx context.Context, dir string, change func(tx *sql.Tx) error) error {
	d := dataDir{dir}
	network, err := d.used()
	if err != nil {
		return err
	}
	db, err := d.openLedger(ctx, network)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(ctx, change)
}

// meant finds the operator that the person at the terminal means. One that is new
// has no ID.
func meant(ctx context.Context, tx *sql.Tx, user string) (Operator, error) {
	all, err := people(ctx, tx)
	switch {
	case err != nil:
		return Operator{}, err
	case len(all) == 0:
		return Operator{}, errors.New("this box has no operator yet; run dmpool setup first")
	case user == "" && len(all) > 1:
		return Operator{}, ErrWhichOperator
	case user == "":
		return all[0].Operator, nil
	}
	for _, p := range all {
		if strings.EqualFold(p.Name, user) {
			return p.Operator, nil
		}
	}
	return Operator{Name: user}, nil
}
