package appliance

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// The passphrase of the backups is one that the box must have at night, when nobody
// is there to type it. It lies sealed in the database, under a key in a file of its
// own: neither a copy of the books nor one of the key alone tells it. Whoever has the
// whole disk has it; but they have the box already, which is all that is in a backup.

// settingBackups is the key of backupSettings.
const settingBackups = "backups"

// backupSettings say how backups are made.
type backupSettings struct {
	Sealed string `json:"sealed"` // the passphrase, base64
	SetAt  int64  `json:"set_at"` // Unix ms
}

// leastBackupPassphrase is how many characters a passphrase has at least. Unlike a
// password, it can be guessed at by a thief of the file, at leisure.
const leastBackupPassphrase = 12

// ErrNoBackupPassphrase says that nothing is backed up, since nobody has set a
// passphrase.
var ErrNoBackupPassphrase = errors.New("there is no passphrase for backups yet; set one on the backup page, or with `dmpool backup passphrase`")

// errBackupKey says that the passphrase cannot be unsealed.
var errBackupKey = errors.New("the passphrase of the backups cannot be read any more; set one anew on the backup page, or with `dmpool backup passphrase`")

// NewBackupPassphrase draws a passphrase of 125 bits that can be written on paper.
func NewBackupPassphrase() string {
	text := strings.ToLower(rand.Text())
	groups := make([]string, 5)
	for i := range groups {
		groups[i] = text[5*i : 5*i+5]
	}
	return strings.Join(groups, "-")
}

// checkBackupPassphrase returns what is wrong with a passphrase, a [*PersonError].
func checkBackupPassphrase(passphrase string) error {
	switch {
	case passphrase != strings.TrimSpace(passphrase):
		return &PersonError{errors.New("the passphrase begins or ends with a blank, which nobody sees when it is typed again")}
	case utf8.RuneCountInString(passphrase) < leastBackupPassphrase:
		return &PersonError{fmt.Errorf("the passphrase is too short; give it at least %d characters", leastBackupPassphrase)}
	case strings.ContainsFunc(passphrase, func(r rune) bool { return r < ' ' }) || !utf8.ValidString(passphrase):
		return &PersonError{errors.New("the passphrase holds characters that cannot be typed")}
	}
	return nil
}

// keepBackupPassphrase seals and stores a passphrase, with its entry of the audit log.
func keepBackupPassphrase(ctx context.Context, d dataDir, network string, db *sqlite.DB, passphrase string, entry AuditEntry) error {
	write, err := newBackupPassphrase(d, network, passphrase, entry)
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *sql.Tx) error { return write(ctx, tx) })
}

// newBackupPassphrase seals a passphrase and returns what stores it in a transaction.
func newBackupPassphrase(d dataDir, network, passphrase string, entry AuditEntry) (write func(context.Context, *sql.Tx) error, err error) {
	if err := checkBackupPassphrase(passphrase); err != nil {
		return nil, err
	}
	sealed, err := backupSealed(d, network, passphrase)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	entry.At, entry.Action, entry.Result = now, "backup.passphrase", "ok"
	return func(ctx context.Context, tx *sql.Tx) error {
		if err := writeSetting(ctx, tx, settingBackups, backupSettings{Sealed: sealed, SetAt: now.UnixMilli()}, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	}, nil
}

// backupSealed seals a secret of the backups for the database.
func backupSealed(d dataDir, network, text string) (string, error) {
	key, err := sealKey(d.backupKey(network), true)
	if err != nil {
		return "", fmt.Errorf("keep secret of the backups: %w", err)
	}
	sealed, err := seal(key, nobody, []byte(text))
	if err != nil {
		return "", fmt.Errorf("keep secret of the backups: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// backupUnsealed is the way back.
func backupUnsealed(d dataDir, network, sealed string) (string, error) {
	key, err := sealKey(d.backupKey(network), false)
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("decode secret of the backups: %w", err)
	}
	secret, err := unseal(key, nobody, text)
	return string(secret), err
}

// readBackupSettings returns the zero value when nothing was set.
func readBackupSettings(ctx context.Context, db *sql.DB) (s backupSettings, err error) {
	var text string
	err = db.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, settingBackups).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil {
		return s, fmt.Errorf("read setting %s: %w", settingBackups, err)
	}
	return s, nil
}

// backupPassphrase returns the passphrase, or [ErrNoBackupPassphrase].
func backupPassphrase(ctx context.Context, d dataDir, network string, db *sqlite.DB) (string, error) {
	s, err := readBackupSettings(ctx, db.Reader())
	if err != nil {
		return "", err
	}
	if s.Sealed == "" {
		return "", ErrNoBackupPassphrase
	}
	passphrase, err := backupUnsealed(d, network, s.Sealed)
	if err != nil {
		return "", errBackupKey
	}
	return passphrase, nil
}

// SetBackupPassphrase sets what backups are encrypted with from now on; those that
// were made before keep theirs. A refusal is a [*PersonError]. The caller has made
// sure that the operator is who they say.
func (a *Appliance) SetBackupPassphrase(ctx context.Context, passphrase, actor, ip string) error {
	return keepBackupPassphrase(ctx, a.dir, a.network, a.db, passphrase, AuditEntry{Actor: actor, IP: ip})
}

// HasBackupPassphrase tells whether a passphrase is set, and since when.
func (a *Appliance) HasBackupPassphrase(ctx context.Context) (since time.Time, has bool, err error) {
	s, err := readBackupSettings(ctx, a.db.Reader())
	return orZero(s.SetAt), s.Sealed != "", err
}
