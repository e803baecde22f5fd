package appliance

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool"
)

// What is done about backups, see [Appliance.BackupWork].
const (
	BackupCreate = "create"
	BackupVerify = "verify"
)

// BackupWork is what the box does about its backups at the moment.
type BackupWork struct {
	What  string // BackupCreate, BackupVerify, or empty
	Since time.Time
}

// backupOrders are what people have ordered, and what is under way. One thing is done
// at a time, by a goroutine of the box: whoever has ordered it may leave.
type backupOrders struct {
	next chan func(context.Context) error

	mu  sync.Mutex
	now BackupWork
}

// carryOutBackups carries out the orders until ctx ends.
func (a *Appliance) carryOutBackups(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case order := <-a.orders.next:
			if err := order(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("Order about backups not carried out", "err", err)
			}
		}
	}
}

// BackupWork tells what is done about backups at the moment.
func (a *Appliance) BackupWork() BackupWork {
	a.orders.mu.Lock()
	defer a.orders.mu.Unlock()
	return a.orders.now
}

// underWay notes that something is being done; the function that it returns ends that.
func (a *Appliance) underWay(what string) (end func()) {
	work := BackupWork{what, time.Now()}
	a.orders.mu.Lock()
	if a.orders.now.What == "" {
		a.orders.now = work
	}
	a.orders.mu.Unlock()
	a.tellOfBackups(what)
	return func() {
		a.orders.mu.Lock()
		if a.orders.now == work {
			a.orders.now = BackupWork{}
		}
		a.orders.mu.Unlock()
		a.tellOfBackups(what)
	}
}

// tellOfBackups has open pages look again.
func (a *Appliance) tellOfBackups(what string) {
	a.events.Publish(pool.Event{Kind: "backup", At: time.Now(), State: what})
}

// OrderBackup has the box make a backup as soon as it can, and returns. The errors are
// of what is in the way at once: [ErrStarting], [ErrNoBackupPassphrase],
// [ErrBackupBusy].
func (a *Appliance) OrderBackup(ctx context.Context, actor, ip string) error {
	if _, has, err := a.HasBackupPassphrase(ctx); err != nil || !has {
		return errors.Join(err, when(err == nil, ErrNoBackupPassphrase))
	}
	return a.order(func(ctx context.Context) error {
		_, err := a.CreateBackup(ctx, actor, ip)
		return err
	})
}

// OrderBackupCheck has the box restore a backup to a scratch place once more, and
// returns. The errors are those of OrderBackup, and [ErrNoBackup].
func (a *Appliance) OrderBackupCheck(ctx context.Context, id int64, actor, ip string) error {
	b, err := a.Backup(ctx, id)
	if err != nil {
		return err
	}
	if !b.There() {
		return ErrNoBackup
	}
	return a.order(func(ctx context.Context) error {
		_, err := a.VerifyBackup(ctx, id, actor, ip)
		return err
	})
}

func (a *Appliance) order(do func(context.Context) error) error {
	if a.pool.Load() == nil {
		return ErrStarting
	}
	if a.BackupWork().What != "" {
		return ErrBackupBusy
	}
	select {
	case a.orders.next <- do:
		return nil
	default:
		return ErrBackupBusy
	}
}

// backupAgain is how long the box waits after a backup that was not good.
const backupAgain = time.Hour

// backupDue returns when the newest backup was due, by the clock of a time zone.
func backupDue(now time.Time, minutes int, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	due := time.Date(year, month, day, 0, minutes, 0, 0, zone)
	if due.After(now) {
		due = time.Date(year, month, day-1, 0, minutes, 0, 0, zone)
	}
	return due
}

// NextBackup returns when the next scheduled backup is due.
func (a *Appliance) NextBackup(ctx context.Context) (time.Time, error) {
	p, _, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		return time.Time{}, err
	}
	zone, now := a.zone(), time.Now()
	year, month, day := backupDue(now, p.At, zone).In(zone).Date()
	return time.Date(year, month, day+1, 0, p.At, 0, 0, zone), nil
}

// zone is the time zone of the settings.
func (a *Appliance) zone() *time.Location {
	zone, err := time.LoadLocation(a.presented().TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// backUp is the scheduled job. It comes often and finds out by itself whether a backup
// is due: the box may have been off at its time.
func (a *Appliance) backUp(ctx context.Context) (string, error) {
	s, err := a.BackupState(ctx)
	if err != nil {
		return "", err
	}
	p, _, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		return "", err
	}
	now := time.Now()
	since := now.Sub(s.Last.At) // negative when a clock was wrong
	switch due := backupDue(now, p.At, a.zone()); {
	case !s.Ready:
		return "no passphrase is set for the backups", nil
	case !s.LastVerified.Before(due):
		return a.bringBackup(ctx, s.Last, p)
	case !s.Last.At.Before(due) && since >= 0 && since < backupAgain:
		return "the last one was not good; another try comes within an hour", nil
	}
	b, err := a.CreateBackup(ctx, "schedule", "")
	if errors.Is(err, ErrBackupBusy) {
		return "another one is being made", nil
	}
	if err != nil {
		return "", err
	}
	return "made and restored to a scratch place: " + b.Name, nil
}

// bringBackup brings the last backup to the places that it has not been brought to: the
// box was stopped over it, or the place is new.
func (a *Appliance) bringBackup(ctx context.Context, last Backup, p storedPlan) (string, error) {
	missing := last.missingIn(p.names())
	if len(missing) == 0 {
		return "there is a backup of today", nil
	}
	v, err := a.vault(ctx)
	if err != nil {
		return "", err
	}
	defer a.underWay(BackupCreate)()
	switch err := v.spreadAgain(ctx, &last); {
	case errors.Is(err, ErrBackupBusy):
		return "another one is being made", nil
	case err != nil:
		return "", err
	}
	return "brought to " + strings.Join(missing, ", ") + ": " + last.Name, nil
}

// BackupRefusal returns what an error about backups says to people; ok is false for one
// that says nothing to them.
func BackupRefusal(err error) (sentence error, ok bool) {
	for _, known := range []error{
		ErrBackupBusy, ErrNoBackupPassphrase, ErrLastBackup, errBackupKey,
		backup.ErrNotBackup, backup.ErrPassphrase, backup.ErrCostly, backup.ErrTruncated, backup.ErrAltered, backup.ErrNewer, backup.ErrNoRoom,
		backup.ErrMissing, backup.ErrAway,
	} {
		if errors.Is(err, known) {
			return known, true
		}
	}
	return nil, false
}

// BackupFile is where a backup lies on this box.
func (a *Appliance) BackupFile(name string) string {
	return filepath.Join(a.dir.backups(a.network), name)
}
