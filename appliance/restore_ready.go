package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// ready writes into the unpacked ledger what a restored box has to know: that it is one.
// What was done on the box after the backup is not in there, and cannot be undone by it:
//
//   - payouts are frozen until somebody has looked (money.md 2.7)
//   - nobody is signed in, and no token for minutes is good
//   - the backups of the other disk are not on this one, and those on this one may be
//     newer than what is restored
func (r *Restoration) ready(ctx context.Context, actor, ip string) (err error) {
	db, err := sqlite.Open(ctx, r.d.restored(ledgerFile), ledger.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := time.Now()
	return ledger.New(db).Update(ctx, func(tx *ledger.Tx) error {
		if err := payout.FreezeOld(ctx, tx, r.m.Made, now); err != nil {
			return fmt.Errorf("freeze payouts: %w", err)
		}
		for _, query := range []string{`DELETE FROM web_session`, `DELETE FROM api_token WHERE kind = 'login'`} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
		}
		if err := r.readyBackups(ctx, tx.Tx, now); err != nil {
			return err
		}
		if err := r.readyNode(ctx, tx.Tx, now); err != nil {
			return err
		}
		if err := r.readyWallet(ctx, tx.Tx, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx.Tx, AuditEntry{
			At: now, Actor: actor, Action: "backup.restore", Object: r.m.Name, Result: "ok", IP: ip,
			Detail: map[string]string{"made": r.m.Made.Format(time.RFC3339), "program": r.m.Program},
		})
	})
}

// readyBackups writes down that this backup is a good one, which it could not know, and
// which are in the folder of this box. Some there may have been made after it, by the
// books that are put aside: nobody knows what they are worth until they are tried out.
// In other places such are left alone; they may be another box's.
func (r *Restoration) readyBackups(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE backup SET sound = 1, checked_at = ?1, problem = '', notice = ?2 WHERE name = ?3`, now.UnixMilli(), r.m.Notice, r.m.Name)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE backup_copy SET gone_at = ? WHERE place = ? AND gone_at IS NULL`, now.UnixMilli(), PlaceBox)
	}
	if err != nil {
		return fmt.Errorf("write down backups: %w", err)
	}
	stored, err := backup.Folder{Dir: r.d.backups(r.m.Network)}.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range stored {
		if err := adoptBackup(ctx, tx, s, now); err != nil {
			return fmt.Errorf("write down backups: %w", err)
		}
	}
	return nil
}

// adoptBackup writes down a backup that was found in the folder of this box.
func adoptBackup(ctx context.Context, tx *sql.Tx, s backup.Stored, now time.Time) error {
	made, known := backup.Made(s.Name)
	if !known {
		return nil
	}
	var id int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO backup (name, at, actor, size) VALUES (?, ?, 'restore', ?)
		ON CONFLICT (name) DO UPDATE SET size = excluded.size RETURNING id`, s.Name, made.UnixMilli(), s.Size).Scan(&id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO backup_copy (backup, place, at) VALUES (?1, ?2, ?3)
		ON CONFLICT (backup, place) DO UPDATE SET at = COALESCE(at, excluded.at), gone_at = NULL`, id, PlaceBox, now.UnixMilli())
	return err
}

// readyNode lets the settings of a node that somebody else runs find its password here.
func (r *Restoration) readyNode(ctx context.Context, tx *sql.Tx, now time.Time) error {
	var node nodeSettings
	known, err := settingIn(ctx, tx, settingNode, &node)
	if err != nil || !known || filepath.Base(node.External.PasswordFile) != filepath.Base(r.d.nodePassword()) {
		return err
	}
	if _, there := r.m.File(filepath.Base(r.d.nodePassword())); !there {
		return nil
	}
	node.External.PasswordFile = r.d.nodePassword()
	return writeSetting(ctx, tx, settingNode, node, now)
}

// settingIn reads a setting in a transaction.
func settingIn(ctx context.Context, tx *sql.Tx, key string, out any) (known bool, err error) {
	var text string
	err = tx.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, key).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), out)
	}
	if err != nil {
		return false, fmt.Errorf("read setting %s: %w", key, err)
	}
	return true, nil
}
