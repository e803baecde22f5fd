package appliance

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A second factor is a secret that the operator's phone and the box share. Signing
// in then takes the password and a code of it, or one of ten recovery codes, each
// of which does once. Whoever is signed in proves with either of the two that it is
// still them, see [Appliance.Reauthenticate].

// recoveryCodes come with each second factor, of recoveryBytes random bytes each.
const (
	recoveryCodes = 10
	recoveryBytes = 10
)

// proposalLife is how long a secret that was shown waits for its first code.
const proposalLife = 15 * time.Minute

const wrongCode = "wrong code"

var (
	// ErrCode says that the password is right, and that the second factor is
	// missing: nobody is signed in yet.
	ErrCode = errors.New("a code of the second factor is needed, too")

	errNoProposal = &PersonError{errors.New("this secret was shown too long ago; begin again")}
	errNoFactor   = &PersonError{errors.New("there is no second factor")}
	// ErrNeedsFactor says that the operator may send nothing before they have a second
	// factor, see pool.PayoutRules.
	ErrNeedsFactor = &PersonError{errors.New("sending takes a second factor, and you have none yet")}

	errHasFactor = &PersonError{errors.New("there is a second factor already; remove it first")}
)

// Factor is what the box tells of an operator's second factor.
type Factor struct {
	Since time.Time // zero: there is none
	Codes int       // recovery codes that are still good

	Needed bool // without one, they approve, sign and send nothing
}

// Factor returns what is known of an operator's second factor.
func (a *Appliance) Factor(ctx context.Context, op int64) (Factor, error) {
	f := Factor{Needed: a.Settings().SecondFactorToSend}
	var since sql.NullInt64
	err := a.db.Reader().QueryRowContext(ctx, `
		SELECT confirmed_at, (SELECT COUNT(*) FROM recovery_code c WHERE c.operator = f.operator AND used_at IS NULL)
		  FROM second_factor f WHERE operator = ?`, op).Scan(&since, &f.Codes)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !since.Valid {
		return Factor{Needed: f.Needed}, nil
	}
	if err != nil {
		return Factor{}, fmt.Errorf("read second factor: %w", err)
	}
	f.Since = time.UnixMilli(since.Int64)
	return f, nil
}

// MaySend returns nil, or [ErrNeedsFactor] for an operator who lacks the second
// factor that the rules want of whoever approves, signs or sends.
func (a *Appliance) MaySend(ctx context.Context, op int64) error {
	f, err := a.Factor(ctx, op)
	if err == nil && f.Needed && f.Since.IsZero() {
		err = ErrNeedsFactor
	}
	return err
}

// ProposeFactor makes a secret for an operator, who has proved to be it. It counts
// from the first code on, see [Appliance.ConfirmFactor]. The secret is base32, as
// apps take it.
func (a *Appliance) ProposeFactor(ctx context.Context, op Operator) (secret string, err error) {
	key, err := a.keyToSeal(ctx)
	if err != nil {
		return "", a.sealedAway(err)
	}
	raw := randomBytes(totpSecret)
	sealed, err := seal(key, op.ID, raw)
	if err != nil {
		return "", err
	}
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO second_factor (operator, sealed, proposed_at) SELECT id, ?, ? FROM operator WHERE id = ? AND name = ?
			ON CONFLICT (operator) DO UPDATE SET sealed = excluded.sealed, proposed_at = excluded.proposed_at, last_step = 0
			 WHERE confirmed_at IS NULL`, sealed, time.Now().UnixMilli(), op.ID, op.Name)
		if err != nil {
			return fmt.Errorf("write second factor: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errHasFactor)
		}
		return nil
	})
	return base32Text(raw), err
}

// keyToSeal returns the key of the box's secrets, and makes it when there is none and
// no second factor was sealed with another.
func (a *Appliance) keyToSeal(ctx context.Context) ([]byte, error) {
	var sealedOnes int
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM second_factor WHERE confirmed_at IS NOT NULL`).Scan(&sealedOnes); err != nil {
		return nil, fmt.Errorf("read second factors: %w", err)
	}
	return sealKey(a.dir.sealKey(a.network), sealedOnes == 0)
}

// ProposedFactor returns the secret that waits for its first code, so that a page
// whose code was wrong can show it again.
func (a *Appliance) ProposedFactor(ctx context.Context, op int64) (secret string, err error) {
	f, err := a.readFactor(ctx, op)
	if err != nil {
		return "", err
	}
	if f.confirmed || time.Since(f.proposed) > proposalLife {
		return "", errNoProposal
	}
	return base32Text(f.secret), nil
}

// ConfirmFactor puts a proposed second factor into force when the code is of it,
// and ends all the operator's sessions: they were begun without. It returns the
// recovery codes, which nobody can read again, and since, as [Appliance.Login]
// does. A wrong code is [ErrLogin], and counts as a wrong password does.
func (a *Appliance) ConfirmFactor(ctx context.Context, op Operator, code string, tokens Tokens, ip string) (codes []string, since time.Time, err error) {
	f, err := a.readFactor(ctx, op.ID)
	if err != nil {
		return nil, time.Time{}, err
	}
	return a.confirmFactor(ctx, op, f, code, tokens, ip)
}

// confirmFactor is ConfirmFactor for the proposal that was read. Of two confirmations
// one comes too late, and so does the one of a secret that another has replaced.
func (a *Appliance) confirmFactor(ctx context.Context, op Operator, f factor, code string, tokens Tokens, ip string) (codes []string, since time.Time, err error) {
	if f.confirmed || time.Since(f.proposed) > proposalLife {
		return nil, time.Time{}, errNoProposal
	}
	err = a.attempt(ctx, attempt{user: op.Name, actor: op.Name, action: "factor.add", ip: ip, wrong: wrongCode, quiet: true},
		func() (bool, error) { return a.takeCode(ctx, op.ID, f, code) })
	if err != nil {
		return nil, time.Time{}, err
	}
	now := time.Now()
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			UPDATE second_factor SET confirmed_at = ? WHERE operator = ? AND sealed = ? AND confirmed_at IS NULL`,
			now.UnixMilli(), op.ID, f.sealed)
		if err := orNone(result, err, errNoProposal); err != nil {
			return fmt.Errorf("confirm second factor: %w", err)
		}
		if codes, err = writeCodes(ctx, tx, op.ID); err != nil {
			return err
		}
		if since, err = accessChanged(ctx, tx, op.ID, now); err != nil {
			return err
		}
		entry := AuditEntry{At: now, Actor: op.Name, Action: "factor.add", Object: op.Name, Result: "ok", IP: ip}
		if err := endTokens(ctx, tx, tokens, op.ID, entry); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	})
	return codes, since, err
}

// RemoveFactor takes a second factor away from an operator whose password was
// right and who knows a code of it, too: one of the two must not be enough to get
// rid of the other. It ends all their sessions.
func (a *Appliance) RemoveFactor(ctx context.Context, op Operator, code string, tokens Tokens, ip string) (since time.Time, err error) {
	f, err := a.checkCode(ctx, op, code, "factor.remove", ip, true)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM second_factor WHERE operator = ? AND sealed = ?`, op.ID, f.sealed)
		if err := orNone(result, err, errNoFactor); err != nil {
			return fmt.Errorf("remove second factor: %w", err)
		}
		if since, err = accessChanged(ctx, tx, op.ID, now); err != nil {
			return err
		}
		entry := AuditEntry{At: now, Actor: op.Name, Action: "factor.remove", Object: op.Name, Result: "ok", IP: ip}
		if err := endTokens(ctx, tx, tokens, op.ID, entry); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	})
	return since, err
}

// RenewCodes replaces the recovery codes of an operator who has proved to be it
// with password and code.
func (a *Appliance) RenewCodes(ctx context.Context, op Operator, code, ip string) (codes []string, err error) {
	f, err := a.checkCode(ctx, op, code, "factor.codes", ip, true)
	if err != nil {
		return nil, err
	}
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		var same bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM second_factor WHERE operator = ? AND sealed = ?)`, op.ID, f.sealed).Scan(&same)
		if err != nil || !same { // it was switched off meanwhile
			return errors.Join(err, errNoFactor)
		}
		if codes, err = writeCodes(ctx, tx, op.ID); err != nil {
			return err
		}
		return writeAudit(ctx, tx, AuditEntry{At: time.Now(), Actor: op.Name, Action: "factor.codes", Object: op.Name, Result: "ok", IP: ip})
	})
	return codes, err
}

// KnowsCode returns nil when the code is one of the operator's recovery codes that
// are still good, and does not use it up: so that somebody who was just shown them
// can prove to have kept them. Else it is [ErrLogin]. As the same code can be shown
// again and again, it makes up for nothing wrong.
func (a *Appliance) KnowsCode(ctx context.Context, op Operator, code, ip string) error {
	return a.attempt(ctx, attempt{user: op.Name, actor: op.Name, action: "factor.kept", ip: ip, wrong: wrongCode, half: true}, func() (has bool, err error) {
		err = a.db.Reader().QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM recovery_code WHERE operator = ? AND hash = ? AND used_at IS NULL)`,
			op.ID, recoveryHash(code)).Scan(&has)
		if err != nil {
			return false, fmt.Errorf("read recovery codes: %w", err)
		}
		return has, nil
	})
}

// checkCode lets an operator's code pass the gate, and returns the factor that it was
// of. A quiet one leaves the audit row of what is right to the caller.
func (a *Appliance) checkCode(ctx context.Context, op Operator, code, action, ip string, quiet bool) (factor, error) {
	f, err := a.readFactor(ctx, op.ID)
	if err != nil {
		return f, err
	}
	if !f.confirmed {
		return f, errNoFactor
	}
	return f, a.attempt(ctx, attempt{user: op.Name, actor: op.Name, action: action, ip: ip, wrong: wrongCode, quiet: quiet},
		func() (bool, error) { return a.takeCode(ctx, op.ID, f, code) })
}

// factor is a row of second_factor, opened.
type factor struct {
	sealed    []byte
	secret    []byte
	confirmed bool
	proposed  time.Time
	last      int64
}

// readFactor opens an operator's second factor; without one it is a [*PersonError],
// and so it is when the secret cannot be read: nobody gets in by that.
func (a *Appliance) readFactor(ctx context.Context, op int64) (factor, error) {
	var f factor
	var proposed int64
	err := a.db.Reader().QueryRowContext(ctx, `
		SELECT sealed, confirmed_at IS NOT NULL, proposed_at, last_step FROM second_factor WHERE operator = ?`, op).
		Scan(&f.sealed, &f.confirmed, &proposed, &f.last)
	if errors.Is(err, sql.ErrNoRows) {
		return factor{}, errNoFactor
	}
	if err != nil {
		return factor{}, fmt.Errorf("read second factor: %w", err)
	}
	f.proposed = time.UnixMilli(proposed)
	key, err := sealKey(a.dir.sealKey(a.network), false)
	if err == nil {
		f.secret, err = unseal(key, op, f.sealed)
	}
	if err != nil {
		return factor{}, a.sealedAway(err)
	}
	return f, nil
}

// sealedAway tells the log why a secret cannot be read, and the person what to do.
func (a *Appliance) sealedAway(err error) error {
	if !errors.Is(err, errSealed) {
		return err
	}
	a.log.Error("Second factor not readable", "err", err)
	return &PersonError{errSealed}
}

// takeCode tells whether a code is right, of the app or for recovery, and uses it
// up: of two requests with the same code one comes too late. It is used up even when
// nobody waits for the answer any more.
func (a *Appliance) takeCode(ctx context.Context, op int64, f factor, code string) (ok bool, err error) {
	ctx = context.WithoutCancel(ctx)
	use, args := `UPDATE recovery_code SET used_at = ? WHERE operator = ? AND hash = ? AND used_at IS NULL`,
		[]any{time.Now().UnixMilli(), op, recoveryHash(code)}
	if IsCode(code) {
		step, right := totpMatch(f.secret, withoutBlanks(code), time.Now(), f.last)
		if !right {
			return false, nil
		}
		use, args = `UPDATE second_factor SET last_step = ? WHERE operator = ? AND last_step < ?`, []any{step, op, step}
	}
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, use, args...)
		if err != nil {
			return fmt.Errorf("use code: %w", err)
		}
		n, err := result.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

// writeCodes replaces an operator's recovery codes and returns the new ones.
func writeCodes(ctx context.Context, tx *sql.Tx, op int64) ([]string, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_code WHERE operator = ?`, op); err != nil {
		return nil, fmt.Errorf("remove recovery codes: %w", err)
	}
	codes := newRecoveryCodes()
	for _, code := range codes {
		if err := writeCode(ctx, tx, op, recoveryHash(code)); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

func writeCode(ctx context.Context, tx *sql.Tx, op int64, hash []byte) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO recovery_code (operator, hash) VALUES (?, ?)`, op, hash); err != nil {
		return fmt.Errorf("write recovery code: %w", err)
	}
	return nil
}

// newRecoveryCodes draws codes, "ABCD-EFGH-JKLM-NPQR".
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		text := crockford().EncodeToString(randomBytes(recoveryBytes))
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
	}
	return codes
}

// crockford has no letters that are taken for digits.
func crockford() *base32.Encoding {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
}

// recoveryHash is what is kept of a code. It is a plain hash, since there is
// nothing to guess in 80 random bits.
func recoveryHash(code string) []byte {
	typed := strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(withoutBlanks(code)))
	sum := sha256.Sum256([]byte(typed))
	return sum[:]
}

// accessChanged ends all that an operator was let in with so far, and returns when
// that was: later than the time before even if the clock was turned back, so that
// it tells the two apart.
func accessChanged(ctx context.Context, tx *sql.Tx, op int64, now time.Time) (since time.Time, err error) {
	var at int64
	err = tx.QueryRowContext(ctx, `UPDATE operator SET access_at = MAX(?, access_at + 1) WHERE id = ? RETURNING access_at`,
		now.UnixMilli(), op).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, errGone
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("write operator: %w", err)
	}
	for _, query := range []string{
		`DELETE FROM web_session WHERE operator = ?`,
		`DELETE FROM api_token WHERE operator = ? AND kind = 'login'`,
	} {
		if _, err := tx.ExecContext(ctx, query, op); err != nil {
			return time.Time{}, fmt.Errorf("end sessions: %w", err)
		}
	}
	return time.UnixMilli(at), nil
}
