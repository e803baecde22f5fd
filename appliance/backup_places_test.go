package appliance

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// slow is a place whose line takes for ever.
type slow struct{ backup.Folder }

func (slow) Put(ctx context.Context, _ string, _ io.Reader) error {
	<-ctx.Done()
	return ctx.Err()
}

// A place that takes too long keeps no other from its backup, nor the box from letting
// old ones go.
func TestBackupSlowPlace(t *testing.T) {
	_, v := vaultOf(t)
	v.patience = 100 * time.Millisecond
	v.others = []BackupPlace{{"disk", slow{backup.Folder{Dir: t.TempDir()}}}, {"folder", backup.Folder{Dir: t.TempDir()}}}
	for range 2 {
		b, err := v.create(t.Context(), "admin", "")
		if !errors.Is(err, errSlowPlace) || b.in("disk").Problem != sentence(errSlowPlace) || !b.in("folder").There() {
			t.Errorf("%+v, %v", b, err)
		}
	}
	if left, err := v.here().List(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("on the box: %v, %v, want the newest of the day", left, err)
	}
}

// Backups that do not restore do not pile up: they are tried again each hour.
func TestUnsoundBackupsExpire(t *testing.T) {
	a, v := vaultOf(t)
	err := a.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO balance (account, bucket, amount) VALUES (1, 'payable', 7)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if b, err := v.create(t.Context(), "admin", ""); err == nil || b.Sound {
			t.Errorf("%+v, %v", b, err)
		}
	}
	if left, err := v.here().List(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("on the box: %v, %v, want the newest", left, err)
	}
}

// daysAgo makes a backup an older one.
func daysAgo(t *testing.T, db *sqlite.DB, id int64, days int) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE backup SET at = at - ? WHERE id = ?`, int64(days)*24*time.Hour.Milliseconds(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is wrong with one copy costs no other one.
func TestDamagedCopy(t *testing.T) {
	a, v := vaultOf(t)
	disk := backup.Folder{Dir: t.TempDir()}
	v.others = []BackupPlace{{"disk", disk}}
	b, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	daysAgo(t, a.db, b.ID, 3)
	here, there := filepath.Join(v.dir.backups(v.network), b.Name), filepath.Join(disk.Dir, b.Name)
	whole, err := os.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}

	// A file that cannot be read is no damage: a folder reads like a broken disk.
	if err := errors.Join(os.Remove(here), os.Mkdir(here, 0o700)); err != nil {
		t.Fatal(err)
	}
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); err != nil || !b.Sound || !b.in(PlaceBox).Whole() {
		t.Errorf("with a copy that cannot be read: %+v, %v", b, err)
	}
	if err := os.Rename(there, there+".aside"); err != nil {
		t.Fatal(err)
	}
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); err == nil || !b.Sound {
		t.Errorf("with none that can be read: %+v, %v", b, err)
	}
	if err := errors.Join(os.Remove(here), os.Rename(there+".aside", there)); err != nil {
		t.Fatal(err)
	}

	// Damage is written down for the copy; the other one still restores, and stays.
	spoiled := append(whole[:len(whole)/2:len(whole)/2], make([]byte, len(whole)-len(whole)/2)...)
	if err := os.WriteFile(here, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err = v.verify(t.Context(), b.ID, "admin", "")
	if !errors.Is(err, backup.ErrAltered) || !b.Sound || b.in(PlaceBox).Whole() || !b.in("disk").Whole() {
		t.Errorf("with a damaged copy: %+v, %v", b, err)
	}
	content, err := v.open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(content)
	if err := errors.Join(err, content.Close()); err != nil || string(got) != string(whole) {
		t.Errorf("the damaged copy is handed out, %v", err)
	}
	if _, err := v.create(t.Context(), "admin", ""); err != nil {
		t.Fatal(err)
	}
	if b, err = v.history().one(t.Context(), b.ID); err != nil || b.in(PlaceBox).There() || !b.in("disk").There() {
		t.Errorf("after a newer one: %+v, %v", b, err)
	}
	if err := os.WriteFile(there, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); !errors.Is(err, backup.ErrAltered) || b.Sound || b.Problem == "" {
		t.Errorf("with damaged copies alone: %+v, %v", b, err)
	}
}

// Disks that take turns keep what is on them, in the history, too.
func TestDisksTakeTurns(t *testing.T) {
	a, v := vaultOf(t)
	one, two := backup.Folder{Dir: t.TempDir()}, backup.Folder{Dir: t.TempDir()}
	night := func(disk backup.Folder) Backup {
		t.Helper()
		v.others = []BackupPlace{{"disk", disk}}
		b, err := v.create(t.Context(), "admin", "")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := night(one)
	daysAgo(t, a.db, first.ID, 2)
	second := night(two)
	daysAgo(t, a.db, second.ID, 1)
	if b, err := v.history().one(t.Context(), first.ID); err != nil || b.in("disk").There() {
		t.Errorf("what is on the other disk: %+v, %v", b, err)
	}
	night(one)
	if b, err := v.history().one(t.Context(), first.ID); err != nil || !b.in("disk").Whole() {
		t.Errorf("what is on this disk again: %+v, %v", b, err)
	}

	// An empty folder in which there should be backups is taken for another one, and so
	// is a server that has lost its folder.
	empty := BackupPlace{"disk", backup.Folder{Dir: t.TempDir()}}
	if _, err := v.expire(t.Context(), empty, 0); !errors.Is(err, backup.ErrAway) {
		t.Errorf("expire in an empty folder = %v, want %v", err, backup.ErrAway)
	}
	if b, err := v.history().one(t.Context(), first.ID); err != nil || !b.in("disk").There() {
		t.Errorf("what is not in an empty folder: %+v, %v", b, err)
	}
	lost := lostFolder{backup.Folder{Dir: t.TempDir()}}
	v.others = []BackupPlace{{"disk", lost}}
	if b, err := v.create(t.Context(), "admin", ""); !errors.Is(err, backup.ErrAway) || b.in("disk").There() {
		t.Errorf("%+v, %v", b, err)
	}
	if left, err := os.ReadDir(lost.Dir); err != nil || len(left) > 0 {
		t.Errorf("the folder was made anew: %v, %v", left, err)
	}
}

// lostFolder is a place that would make its folder anew.
type lostFolder struct{ backup.Folder }

func (lostFolder) List(context.Context) ([]backup.Stored, error) { return nil, backup.ErrAway }

// A backup that arrived, but could not be read back, counts as soon as it can be.
func TestBackupFoundLater(t *testing.T) {
	_, v := vaultOf(t)
	disk := backup.Folder{Dir: t.TempDir()}
	v.others = []BackupPlace{{"disk", deaf{disk}}}
	b, err := v.create(t.Context(), "admin", "")
	if !errors.Is(err, backup.ErrAway) || b.in("disk").There() {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := v.expire(t.Context(), BackupPlace{"disk", disk}, 0); err != nil {
		t.Fatal(err)
	}
	if b, err = v.history().one(t.Context(), b.ID); err != nil || !b.in("disk").Whole() || b.in("disk").Problem != "" {
		t.Errorf("%+v, %v", b, err)
	}
}

// deaf is a place that hands nothing out.
type deaf struct{ backup.Folder }

func (deaf) Open(context.Context, string) (io.ReadCloser, error) { return nil, backup.ErrAway }
