package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// An operator may get a second factor with the first set-up already. It is the one
// of factor.go; until there is an operator whose it can be, setup.db has its secret,
// sealed under the key of the set-up, and its recovery codes as hashes. A box that
// stops half-way goes on with the same secret, which the phone may know by then.
// The codes cannot be shown again: whoever did not keep them gets new ones.

// StepFactor comes after [StepOperator] when a second factor was asked for there. It
// is no part of the answers.
const StepFactor = "factor"

var errNotConfirmed = &PersonError{errors.New("the secret comes first: type the code that the app shows")}

// FactorDraft is how far the second factor of the set-up is.
type FactorDraft struct {
	Wanted    bool
	Confirmed bool // a code of it was right
	Kept      bool // and then a recovery code: nothing is left to ask
}

// keptFactor is the row of a second factor, opened.
type keptFactor struct {
	secret []byte
	step   int64
	kept   bool
	codes  [][]byte // hashes
}

// WantFactor begins a second factor, or drops the one that was begun.
func (w *Wizard) WantFactor(ctx context.Context, wanted bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := w.readFactor(ctx)
	if err != nil || wanted == (f != nil) {
		return err
	}
	return w.writeFactor(ctx, wanted)
}

// RenewFactor begins again with another secret.
func (w *Wizard) RenewFactor(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeFactor(ctx, true)
}

// FactorSecret returns the secret of the second factor in base32, for as long as no
// code has confirmed that an app knows it.
func (w *Wizard) FactorSecret(ctx context.Context) (string, error) {
	f, err := w.readFactor(ctx)
	if err != nil {
		return "", err
	}
	if f == nil || f.step > 0 {
		return "", errNoProposal
	}
	return base32Text(f.secret), nil
}

// ConfirmFactor takes the first code of the app and returns the recovery codes,
// which nobody can read again. A wrong code is [ErrLogin].
func (w *Wizard) ConfirmFactor(ctx context.Context, code string) (codes []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := w.readFactor(ctx)
	if err != nil {
		return nil, err
	}
	if f == nil || f.step > 0 {
		return nil, errNoProposal
	}
	step, right := totpMatch(f.secret, withoutBlanks(code), time.Now(), 0)
	if !IsCode(code) || !right {
		return nil, ErrLogin
	}
	return w.drawCodes(ctx, step)
}

// RenewFactorCodes replaces the recovery codes.
func (w *Wizard) RenewFactorCodes(ctx context.Context) (codes []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := w.readFactor(ctx)
	if err != nil {
		return nil, err
	}
	if f == nil || f.step == 0 {
		return nil, errNotConfirmed
	}
	return w.drawCodes(ctx, f.step)
}

// KeepFactor takes one of the recovery codes that were shown, as the proof that they
// were kept. Another text is [ErrLogin].
func (w *Wizard) KeepFactor(ctx context.Context, code string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			UPDATE factor SET kept = 1 WHERE last_step > 0 AND EXISTS (SELECT 1 FROM factor_code WHERE hash = ?)`, recoveryHash(code))
		if err := orNone(result, err, ErrLogin); err != nil {
			return fmt.Errorf("confirm recovery codes: %w", err)
		}
		return nil
	})
}

// drawCodes writes new recovery codes. The caller holds w.mu.
func (w *Wizard) drawCodes(ctx context.Context, step int64) ([]string, error) {
	codes := newRecoveryCodes()
	return codes, w.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE factor SET last_step = ?, kept = 0`, step); err != nil {
			return fmt.Errorf("confirm second factor: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM factor_code`); err != nil {
			return fmt.Errorf("remove recovery codes: %w", err)
		}
		for _, code := range codes {
			if _, err := tx.ExecContext(ctx, `INSERT INTO factor_code (hash) VALUES (?)`, recoveryHash(code)); err != nil {
				return fmt.Errorf("write recovery code: %w", err)
			}
		}
		return nil
	})
}

// writeFactor puts a new secret in the place of all there was, or nothing. The caller
// holds w.mu.
func (w *Wizard) writeFactor(ctx context.Context, wanted bool) error {
	var sealed []byte
	if wanted {
		key, err := sealKey(w.dir.wizardKey(), true)
		if err == nil {
			sealed, err = seal(key, nobody, randomBytes(totpSecret))
		}
		if err != nil {
			return fmt.Errorf("keep second factor: %w", err)
		}
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{`DELETE FROM factor_code`, `DELETE FROM factor`} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return fmt.Errorf("remove second factor: %w", err)
			}
		}
		if !wanted {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO factor (id, sealed) VALUES (1, ?)`, sealed); err != nil {
			return fmt.Errorf("write second factor: %w", err)
		}
		return nil
	})
}

// readFactor returns what there is of a second factor, nil for none. One whose
// secret cannot be read any more is none: it has to be asked for again, as the
// passphrase has.
func (w *Wizard) readFactor(ctx context.Context) (*keptFactor, error) {
	var f keptFactor
	var sealed []byte
	err := w.db.Reader().QueryRowContext(ctx, `SELECT sealed, last_step, kept FROM factor`).Scan(&sealed, &f.step, &f.kept)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read second factor: %w", err)
	}
	key, err := sealKey(w.dir.wizardKey(), false)
	if err == nil {
		f.secret, err = unseal(key, nobody, sealed)
	}
	if err != nil {
		w.log.Warn("Second factor of the set-up not readable", "err", err)
		return nil, nil
	}
	rows, err := w.db.Reader().QueryContext(ctx, `SELECT hash FROM factor_code`)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	f.codes, err = sqlite.Collect(rows, func(r *sql.Rows) (hash []byte, err error) {
		err = r.Scan(&hash)
		return hash, err
	})
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	return &f, nil
}

// adopt gives the second factor of the set-up to the operator that came of it. key
// seals the secrets of the box.
func (f *keptFactor) adopt(ctx context.Context, tx *sql.Tx, key []byte, op Operator, now time.Time) error {
	sealed, err := seal(key, op.ID, f.secret)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO second_factor (operator, sealed, proposed_at, confirmed_at, last_step) VALUES (?1, ?2, ?3, ?3, ?4)`,
		op.ID, sealed, now.UnixMilli(), f.step)
	if err != nil {
		return fmt.Errorf("write second factor: %w", err)
	}
	for _, hash := range f.codes {
		if err := writeCode(ctx, tx, op.ID, hash); err != nil {
			return err
		}
	}
	return writeAudit(ctx, tx, AuditEntry{At: now, Actor: op.Name, Action: "factor.add", Object: op.Name, Result: "ok"})
}
