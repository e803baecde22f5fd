package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// ErrWhichOperator says that a box has several operators and none was named.
var ErrWhichOperator = errors.New("this box has several operators; name one with --user")

// SetPassword gives an operator of a data directory a new password, or makes a new
// operator when nobody has this name, and ends all web sessions. Without a name it
// is the box's only operator, or ErrWhichOperator. It works beside a running
// daemon; whoever can write to the data directory needs no other proof. It returns
// the operator's name and whether the operator is new.
func SetPassword(ctx context.Context, dir, user, password string) (name string, added bool, err error) {
	d := dataDir{dir}
	network, err := d.network()
	if err != nil {
		return "", false, err
	}
	if network == "" {
		return "", false, fmt.Errorf("%s is not the data directory of a box; name it with --data-dir", dir)
	}
	db, err := sqlite.Open(ctx, d.ledger(network), ledger.Schema)
	if err != nil {
		return "", false, fmt.Errorf("open ledger: %w", err)
	}
	defer db.Close()
	err = db.Update(ctx, func(tx *sql.Tx) error {
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
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM web_session`); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return writeAudit(ctx, tx, entry)
	})
	return name, added, err
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
