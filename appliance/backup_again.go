package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// verify is [Appliance.VerifyBackup].
func (v *vault) verify(ctx context.Context, id int64, actor, ip string) (b Backup, err error) {
	b, err = v.history().one(ctx, id)
	if err != nil {
		return b, err
	}
	passphrase, err := backupPassphrase(ctx, v.dir, v.network, v.db)
	if err != nil {
		return b, err
	}
	scratch, end, err := v.take()
	if err != nil {
		return b, err
	}
	defer end()
	known, err := v.tryCopies(ctx, scratch, passphrase, &b)
	if ctx.Err() != nil || !known {
		return b, err
	}
	entry := AuditEntry{Actor: actor, Action: "backup.verify", Object: b.Name, Result: "ok", IP: ip}
	if err != nil {
		entry.Result = sentence(err)
	}
	saved := v.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error { return writeAudit(ctx, tx, entry) })
	again, read := v.history().one(ctx, id)
	if read == nil {
		b = again
	}
	return b, errors.Join(err, saved, read)
}

// tryCopies tries out the copies of a backup until one restores, and writes down what it
// finds. A file that is not what was made speaks against this copy only; one that is,
// and does not restore, against the backup. What cannot be read, or tried here, speaks
// against nothing; known is false when there was no more than that.
func (v *vault) tryCopies(ctx context.Context, scratch, passphrase string, b *Backup) (known bool, err error) {
	var damaged, unclear []error
	for _, p := range v.places() {
		if !b.in(p.Name).There() {
			continue
		}
		sum, notice, err := v.tryOut(ctx, p, scratch, passphrase, b.Name)
		if ctx.Err() != nil {
			return false, err
		}
		asMade := b.SHA256 == "" || sum == b.SHA256
		switch {
		case sum == "", asMade && noVerdict(err):
			unclear = append(unclear, err)
		case asMade && (err == nil || b.SHA256 != ""):
			b.SHA256, b.CheckedAt, b.sound, b.Problem = sum, time.Now(), err == nil, ""
			if err == nil {
				b.Notice = notice
			} else {
				b.Problem = sentence(err)
			}
			noted := v.history().looked(ctx, b.ID, p.Name, b.CheckedAt, "")
			return true, errors.Join(append(damaged, err, noted, v.history().save(ctx, *b))...)
		default:
			if err == nil || noVerdict(err) {
				err = backup.ErrAltered
			}
			damaged = append(damaged, err)
			if err := v.history().looked(ctx, b.ID, p.Name, time.Now(), sentence(err)); err != nil {
				return false, err
			}
		}
	}
	if len(damaged)+len(unclear) == 0 {
		return false, ErrNoBackup
	}
	return len(damaged) > 0, errors.Join(append(damaged, unclear...)...)
}

// noVerdict tells errors that say nothing about a backup: its passphrase may be an
// earlier one, the program too old for it, the disk of the scratch folder full.
func noVerdict(err error) bool {
	for _, other := range []error{backup.ErrAway, backup.ErrMissing, backup.ErrNoRoom, backup.ErrPassphrase, backup.ErrNewer} {
		if errors.Is(err, other) {
			return true
		}
	}
	_, newer := errors.AsType[*sqlite.NewerError](err)
	_, machine := errors.AsType[syscall.Errno](err)
	return newer || machine || sqlite.DiskFailed(err)
}

// ErrLastBackup says that a backup is the last sound one, which is not removed.
var ErrLastBackup = errors.New("this is the last backup that is known to restore; make another one first")

// drop is [Appliance.RemoveBackup].
func (v *vault) drop(ctx context.Context, id int64, place, actor, ip string) error {
	_, end, err := v.take() // nobody makes or removes one meanwhile
	if err != nil {
		return err
	}
	defer end()
	b, err := v.history().one(ctx, id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(v.places(), func(p BackupPlace) bool { return p.Name == place })
	if i < 0 || !b.in(place).There() {
		return ErrNoBackup
	}
	if b.Sound && b.in(place).Whole() {
		all, err := v.history().list(ctx, 0, historyMost)
		if err != nil {
			return err
		}
		sound := 0
		for _, other := range all {
			for _, p := range v.places() { // a copy elsewhere is out of reach
				if other.Sound && other.in(p.Name).Whole() {
					sound++
				}
			}
		}
		if sound < 2 {
			return ErrLastBackup
		}
	}
	err = v.db.Update(ctx, func(tx *sql.Tx) error {
		return writeAudit(ctx, tx, AuditEntry{Actor: actor, Action: "backup.remove", Object: b.Name, Result: "ok", IP: ip, Detail: map[string]string{"place": place}})
	})
	if err != nil {
		return err
	}
	return v.remove(ctx, b, v.places()[i])
}

// newestCopy finds the newest copy of the wallet that was opened and found whole.
func newestCopy(ctx context.Context, db *sql.DB, dir, wallet string) (file, name, notice string, err error) {
	var text string
	var last WalletBackup
	err = db.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, settingBackup).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &last)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", "", "", fmt.Errorf("look for a copy of the wallet: %w", err)
	}
	if !strings.HasSuffix(last.File, copyOf(wallet)) || !exists(filepath.Join(dir, last.File)) {
		return "", "", "The wallet is not in it: there is no copy of it yet, which the node makes when it is ready.", nil
	}
	if time.Since(last.LastSound()) > backupOld {
		notice = "The wallet in it is the copy of " + last.LastSound().UTC().Format("2 January 2006") + ", the newest there is."
	}
	return filepath.Join(dir, last.File), wallet, notice, nil
}
