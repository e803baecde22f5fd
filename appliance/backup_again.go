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
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
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
	place, err := v.where(b)
	if err != nil {
		return b, err
	}
	scratch, end, err := v.take()
	if err != nil {
		return b, err
	}
	defer end()
	err = v.tryOut(ctx, place, scratch, passphrase, b.Name)
	if err == nil {
		err = sameFile(ctx, b, place)
	}
	if ctx.Err() != nil || errors.Is(err, backup.ErrAway) || errors.Is(err, backup.ErrNoRoom) || errors.Is(err, backup.ErrPassphrase) {
		return b, err // which is no verdict: its passphrase may be an earlier one
	}
	b.CheckedAt, b.Sound, b.Problem = time.Now(), err == nil, ""
	entry := AuditEntry{Actor: actor, Action: "backup.verify", Object: b.Name, Result: "ok", IP: ip}
	if err != nil {
		b.Problem = sentence(err)
		entry.Result = b.Problem
	}
	saved := v.history().save(ctx, b)
	if saved == nil {
		saved = v.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error { return writeAudit(ctx, tx, entry) })
	}
	return b, errors.Join(err, saved)
}

// where is the first place that should have a backup, or ErrNoBackup.
func (v *vault) where(b Backup) (p BackupPlace, err error) {
	for _, p := range v.places() {
		if slices.ContainsFunc(b.Copies, func(c BackupCopy) bool { return c.Place == p.Name && c.There() }) {
			return p, nil
		}
	}
	return p, ErrNoBackup
}

// ErrLastBackup says that a backup is the last sound one, which is not removed.
var ErrLastBackup = errors.New("this is the last backup that is known to restore; make another one first")

// drop is [Appliance.RemoveBackup].
func (v *vault) drop(ctx context.Context, id int64, place, actor, ip string) error {
	b, err := v.history().one(ctx, id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(v.places(), func(p BackupPlace) bool { return p.Name == place })
	if i < 0 || !slices.ContainsFunc(b.Copies, func(c BackupCopy) bool { return c.Place == place && c.There() }) {
		return ErrNoBackup
	}
	if b.Sound {
		all, err := v.history().list(ctx, 0, historyMost)
		if err != nil {
			return err
		}
		sound := 0
		for _, other := range all {
			if !other.Sound {
				continue
			}
			for _, c := range other.Copies {
				if c.There() {
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
