package appliance

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Backup is a backup of this box, or an attempt at one.
type Backup struct {
	ID        int64
	Name      string // of the file
	At        time.Time
	Actor     string
	Size      int64  // bytes
	SHA256    string // of the file, in hex; empty: it was not made
	CheckedAt time.Time
	Sound     bool   // it was restored to a scratch place, all was well, and not all copies of it are damaged
	Problem   string // why it was not made, or what was wrong with it: a sentence
	Notice    string // what is not in it, and why: a sentence
	Copies    []BackupCopy

	sound bool // whatever its copies are
}

// untried tells a backup of which no more is known than that a file is called so.
func (b Backup) untried() bool { return !b.sound && b.CheckedAt.IsZero() && b.Problem == "" }

// in returns the copy in a place; one without a name if it was never to be there.
func (b Backup) in(place string) BackupCopy {
	for _, c := range b.Copies {
		if c.Place == place {
			return c
		}
	}
	return BackupCopy{}
}

// weigh looks at the copies: where all that are left are damaged, the backup is no good.
func (b *Backup) weigh() {
	b.Sound = b.sound
	var damage string
	for _, c := range b.Copies {
		if c.Whole() {
			return
		}
		if c.There() && damage == "" {
			damage = c.Problem
		}
	}
	if damage != "" {
		b.Sound, b.Problem = false, damage
	}
}

// BackupCopy is a place in which a backup is, was, or should be.
type BackupCopy struct {
	Place     string
	At        time.Time // since when all of it is there; zero: it did not get there
	GoneAt    time.Time // zero: it is still there, if it ever was
	SpoiledAt time.Time // since when it is known not to be what was made; zero: it is not known
	Problem   string    // why it did not get there, or what is wrong with it: a sentence
}

// There tells whether the copy can be had.
func (c BackupCopy) There() bool { return !c.At.IsZero() && c.GoneAt.IsZero() }

// Whole tells whether it can be had, and is not known to be damaged.
func (c BackupCopy) Whole() bool { return c.There() && c.SpoiledAt.IsZero() }

// There tells whether the backup can be had from some place.
func (b Backup) There() bool {
	for _, c := range b.Copies {
		if c.There() {
			return true
		}
	}
	return false
}

// PlaceBox is the name of the place that every box has: the folder backups in its
// data directory.
const PlaceBox = "box"

// ErrNoBackup says that there is no backup of that number, or that it is nowhere any
// more.
var ErrNoBackup = errors.New("there is no such backup any more")

// backupLog is the history of the backups in the ledger's file.
type backupLog struct{ db *sqlite.DB }

// list returns the newest backups older than the one of id before, 0 for all.
func (l backupLog) list(ctx context.Context, before int64, limit int) ([]Backup, error) {
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT id, name, at, actor, size, sha256, COALESCE(checked_at, 0), sound, problem, notice
		FROM backup WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (b Backup, err error) {
		var at, checked int64
		var sum []byte
		err = r.Scan(&b.ID, &b.Name, &at, &b.Actor, &b.Size, &sum, &checked, &b.sound, &b.Problem, &b.Notice)
		b.At, b.CheckedAt, b.SHA256 = time.UnixMilli(at), orZero(checked), hex.EncodeToString(sum)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	if err := l.addCopies(ctx, all); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].weigh()
	}
	return all, nil
}

// addCopies fills in where backups are, which come in the order of list.
func (l backupLog) addCopies(ctx context.Context, all []Backup) error {
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT backup, place, COALESCE(at, 0), COALESCE(gone_at, 0), COALESCE(spoiled_at, 0), problem
		FROM backup_copy WHERE backup BETWEEN ? AND ? ORDER BY backup DESC, place <> 'box', place`, all[len(all)-1].ID, all[0].ID)
	if err != nil {
		return fmt.Errorf("list copies of backups: %w", err)
	}
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (c BackupCopy, err error) {
		var id, at, gone, spoiled int64
		err = r.Scan(&id, &c.Place, &at, &gone, &spoiled, &c.Problem)
		c.At, c.GoneAt, c.SpoiledAt = orZero(at), orZero(gone), orZero(spoiled)
		if i := slices.IndexFunc(all, func(b Backup) bool { return b.ID == id }); i >= 0 {
			all[i].Copies = append(all[i].Copies, c)
		}
		return c, err
	})
	if err != nil {
		return fmt.Errorf("list copies of backups: %w", err)
	}
	return nil
}

// one returns a backup, or ErrNoBackup.
func (l backupLog) one(ctx context.Context, id int64) (Backup, error) {
	all, err := l.list(ctx, id+1, 1)
	if err != nil {
		return Backup{}, err
	}
	if len(all) == 0 || all[0].ID != id {
		return Backup{}, ErrNoBackup
	}
	return all[0], nil
}

// cutShort is the problem of a backup that is being made, until more is known.
const cutShort = "It was cut short."

// begin writes down that a backup is being made, and gives it its name.
func (l backupLog) begin(ctx context.Context, network string, at time.Time, entry AuditEntry) (b Backup, err error) {
	b = Backup{At: at, Actor: entry.Actor}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		for number := 1; ; number++ {
			b.Name = backup.Name(network, at, number)
			err := tx.QueryRowContext(ctx, `
				INSERT INTO backup (name, at, actor, problem) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id`,
				b.Name, at.UnixMilli(), entry.Actor, cutShort).Scan(&b.ID)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("write down backup: %w", err)
			}
			entry.Object = b.Name
			return writeAudit(ctx, tx, entry)
		}
	})
	return b, err
}

// save writes down how a backup is.
func (l backupLog) save(ctx context.Context, b Backup) error {
	sum, err := hex.DecodeString(b.SHA256)
	if err != nil {
		return fmt.Errorf("write down backup: %w", err)
	}
	return l.change(ctx, `UPDATE backup SET size = ?, sha256 = ?, checked_at = ?, sound = ?, problem = ?, notice = ? WHERE id = ?`,
		b.Size, orNull(len(sum) > 0, sum), orNull(!b.CheckedAt.IsZero(), b.CheckedAt.UnixMilli()), b.sound, b.Problem, b.Notice, b.ID)
}

// arrived writes down that all of a backup is in a place, or why not.
func (l backupLog) arrived(ctx context.Context, id int64, place string, at time.Time, problem string) error {
	return l.change(ctx, `
		INSERT INTO backup_copy (backup, place, at, problem) VALUES (?, ?, ?, ?)
		ON CONFLICT (backup, place) DO UPDATE SET at = excluded.at, gone_at = NULL, spoiled_at = NULL, problem = excluded.problem`,
		id, place, orNull(problem == "", at.UnixMilli()), problem)
}

// left writes down that a backup is not in a place any more.
func (l backupLog) left(ctx context.Context, id int64, place string, at time.Time) error {
	return l.change(ctx, `UPDATE backup_copy SET gone_at = ?, problem = '' WHERE backup = ? AND place = ? AND gone_at IS NULL`, at.UnixMilli(), id, place)
}

// back writes down that a backup is in a place again.
func (l backupLog) back(ctx context.Context, id int64, place string) error {
	return l.change(ctx, `UPDATE backup_copy SET gone_at = NULL WHERE backup = ? AND place = ?`, id, place)
}

// looked writes down what a copy was found to be: damaged with a problem, else whole.
func (l backupLog) looked(ctx context.Context, id int64, place string, at time.Time, problem string) error {
	return l.change(ctx, `UPDATE backup_copy SET spoiled_at = ?, problem = ? WHERE backup = ? AND place = ?`,
		orNull(problem != "", at.UnixMilli()), problem, id, place)
}

// used tells whether there should be backups in a place.
func (l backupLog) used(ctx context.Context, place string) (used bool, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM backup_copy WHERE place = ? AND at IS NOT NULL AND gone_at IS NULL)`, place).Scan(&used)
	if err != nil {
		return false, fmt.Errorf("list copies of backups: %w", err)
	}
	return used, nil
}

func (l backupLog) change(ctx context.Context, query string, args ...any) error {
	err := l.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write down backup: %w", err)
	}
	return nil
}

func orNull(known bool, value any) any {
	if !known {
		return nil
	}
	return value
}
