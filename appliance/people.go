package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Person is an operator as the list of people shows them.
type Person struct {
	Operator

	AddedAt    time.Time
	PasswordAt time.Time // of the last change of the password
	Sessions   int       // browsers that are signed in
	Factor     bool      // there is a second factor
}

// PersonError says in a sentence why a person cannot be added, removed or given
// this password.
type PersonError struct{ Err error }

// Error implements error.
func (e *PersonError) Error() string { return e.Err.Error() }

// Unwrap returns the sentence.
func (e *PersonError) Unwrap() error { return e.Err }

// People returns all operators, the first one first.
func (a *Appliance) People(ctx context.Context) ([]Person, error) { return people(ctx, a.db.Reader()) }

func people(ctx context.Context, q sqlite.Querier) ([]Person, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT o.id, o.name, o.created_at, o.updated_at, COUNT(s.operator),
		       EXISTS (SELECT 1 FROM second_factor f WHERE f.operator = o.id AND f.confirmed_at IS NOT NULL)
		FROM operator o LEFT JOIN web_session s ON s.operator = o.id
		GROUP BY o.id ORDER BY o.id`)
	if err != nil {
		return nil, fmt.Errorf("read operators: %w", err)
	}
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (Person, error) {
		var p Person
		var added, changed int64
		err := r.Scan(&p.ID, &p.Name, &added, &changed, &p.Sessions, &p.Factor)
		p.AddedAt, p.PasswordAt = time.UnixMilli(added), time.UnixMilli(changed)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read operators: %w", err)
	}
	return all, nil
}

// AddOperator lets one more person sign in. The caller has made sure that actor is
// who they say, as for the other changes here. The error is a [*PersonError] or
// one of the database.
func (a *Appliance) AddOperator(ctx context.Context, name, password, actor, ip string) error {
	hash, err := checkedHash(password, name)
	if err != nil {
		return err
	}
	return a.changePeople(ctx, AuditEntry{Actor: actor, Action: "operator.add", Object: name, IP: ip},
		func(tx *sql.Tx, _ []Person, now time.Time) error { return addOperator(ctx, tx, name, hash, now) })
}

// RemoveOperator takes a person's right to sign in, and ends their sessions at
// once. What they did before stays in the books under their name. The last
// operator cannot be removed.
func (a *Appliance) RemoveOperator(ctx context.Context, op Operator, actor, ip string) error {
	return a.changePeople(ctx, AuditEntry{Actor: actor, Action: "operator.remove", Object: op.Name, IP: ip},
		func(tx *sql.Tx, all []Person, _ time.Time) error {
			if !slices.ContainsFunc(all, op.is) {
				return errGone
			}
			if len(all) == 1 {
				return &PersonError{fmt.Errorf("%s is the only operator; add another one first", op.Name)}
			}
			// The sessions go with the row, see the schema.
			if _, err := tx.ExecContext(ctx, `DELETE FROM operator WHERE id = ?`, op.ID); err != nil {
				return fmt.Errorf("remove operator: %w", err)
			}
			return nil
		})
}

// Tokens says what becomes of the tokens by which an operator's scripts may look, when
// the password or the second factor changes. Sessions, and what scripts got by signing
// in, end in any case.
type Tokens bool

// What becomes of them.
const (
	KeepTokens   Tokens = false
	RevokeTokens Tokens = true
)

// ChangePassword gives an operator a new password and ends all their sessions.
// since is when it was set, as [Appliance.Login] tells it.
func (a *Appliance) ChangePassword(ctx context.Context, op Operator, password string, tokens Tokens, ip string) (since time.Time, err error) {
	hash, err := checkedHash(password, op.Name)
	if err != nil {
		return time.Time{}, err
	}
	entry := AuditEntry{Actor: op.Name, Action: "password", Object: op.Name, IP: ip}
	err = a.changePeople(ctx, entry,
		func(tx *sql.Tx, all []Person, now time.Time) error {
			if !slices.ContainsFunc(all, op.is) {
				return errGone
			}
			set, err := writePassword(ctx, tx, op, hash, now)
			if err != nil {
				return err
			}
			since = set
			return endTokens(ctx, tx, tokens, op.ID, entry)
		})
	return since, err
}

// errGone is the answer to a page that was open while somebody else removed the
// person.
var errGone = &PersonError{errors.New("there is no such operator any more")}

// is reports whether a row is this operator's: an id may be used again.
func (o Operator) is(p Person) bool { return p.Operator == o }

// changePeople makes a change together with its audit row.
func (a *Appliance) changePeople(ctx context.Context, e AuditEntry, change func(tx *sql.Tx, all []Person, now time.Time) error) error {
	e.At, e.Result = time.Now(), "ok"
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		all, err := people(ctx, tx)
		if err != nil {
			return err
		}
		if err := change(tx, all, e.At); err != nil {
			return err
		}
		return writeAudit(ctx, tx, e)
	})
}

// checkName returns nil for a name that a person can have, or what names are like.
// Books and audit log have parts of the program as actors, too: nobody is to pass
// for the rule that approves, or for the schedule that drafts.
func checkName(name string) error {
	if !operatorName.MatchString(name) {
		return errors.New("takes 1 to 32 letters, digits, dots, dashes and underscores")
	}
	switch strings.ToLower(name) {
	case "rule", "schedule", "payout", "chain", "terminal", "box", "download", "unknown":
		return fmt.Errorf("%s stands for a part of the program in the books; take another one", name)
	}
	return nil
}

// addOperator writes an operator whose password keeps the rules.
func addOperator(ctx context.Context, tx *sql.Tx, name, hash string, now time.Time) error {
	if err := checkName(name); err != nil {
		return &PersonError{fmt.Errorf("user name %w", err)}
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO operator (name, password_hash, created_at, updated_at, access_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (name) DO NOTHING`, name, hash, now.UnixMilli(), now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("write operator: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, &PersonError{fmt.Errorf("there is an operator %s already", name)})
	}
	return nil
}

// writePassword writes the hash of a new password and ends what the old one opened.
func writePassword(ctx context.Context, tx *sql.Tx, op Operator, hash string, now time.Time) (since time.Time, err error) {
	_, err = tx.ExecContext(ctx, `UPDATE operator SET password_hash = ?, updated_at = ? WHERE id = ?`, hash, now.UnixMilli(), op.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("write password: %w", err)
	}
	return accessChanged(ctx, tx, op.ID, now)
}

// checkedHash returns the hash of a password that keeps the rules, or a
// PersonError.
func checkedHash(password, user string) (string, error) {
	if err := CheckPassword(password, user); err != nil {
		return "", &PersonError{err}
	}
	return HashPassword(password)
}

// endTokens revokes the tokens of an operator's scripts, if they are to end. by says
// who wanted that, and from where.
func endTokens(ctx context.Context, tx *sql.Tx, tokens Tokens, op int64, by AuditEntry) error {
	if tokens == KeepTokens {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `DELETE FROM api_token WHERE operator = ? AND kind = 'read' RETURNING name`, op)
	if err != nil {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	names, err := sqlite.Collect(rows, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	for _, name := range names {
		if err := writeAudit(ctx, tx, AuditEntry{Actor: by.Actor, Action: "token.revoke", Object: name, Result: "ok", IP: by.IP}); err != nil {
			return err
		}
	}
	return nil
}
