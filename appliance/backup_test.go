package appliance

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/faultdisk"
)

const backupPhrase = "correct horse battery staple"

// quickWork makes tests quick, see [backup.Lock].
const quickWork = 2

// vaultOf opens a box that is set up and does not run, with a passphrase for its backups.
func vaultOf(t *testing.T) (*Appliance, *vault) {
	t.Helper()
	return vaultIn(t, filepath.Join(t.TempDir(), "box"))
}

func vaultIn(t *testing.T, dir string) (*Appliance, *vault) {
	t.Helper()
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Config{DataDir: dir, Release: "1.2.3", backupWork: quickWork})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := a.SetBackupPassphrase(t.Context(), backupPhrase, "admin", ""); err != nil {
		t.Fatal(err)
	}
	v, err := a.vault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.wallet = func(context.Context) (walletPart, error) { return walletPart{}, nil }
	return a, v
}

func TestBackup(t *testing.T) {
	a, v := vaultOf(t)
	if s, err := a.BackupState(t.Context()); err != nil || s.Problem == "" || s.Next == "" || !s.LastVerified.IsZero() {
		t.Errorf("before the first: %+v, %v", s, err)
	}
	b, err := v.create(t.Context(), "admin", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if !b.Sound || b.Problem != "" || b.Size == 0 || len(b.SHA256) != 64 || !b.There() {
		t.Errorf("%+v", b)
	}
	s, err := a.BackupState(t.Context())
	if err != nil || s.Problem != "" || s.Kept != 1 || time.Since(s.LastVerified) > time.Minute {
		t.Errorf("after the first: %+v, %v", s, err)
	}
	if left, err := os.ReadDir(v.dir.backups(v.network)); err != nil || len(left) != 2 { // the backup, and the lock
		t.Errorf("in the folder: %v, %v", left, err)
	}
	content, same, err := a.OpenBackup(t.Context(), b.ID, "admin", "")
	if err != nil || same.Name != b.Name {
		t.Fatal(err)
	}
	defer content.Close()
	m, err := unpack(t.Context(), content, backupPhrase, filepath.Join(t.TempDir(), "unpacked"), 0)
	if err != nil || m.Name != b.Name || m.Network != "regtest" || m.Program != "1.2.3" || m.Schemas[ledgerFile] == 0 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, name := range []string{ledgerFile, "backup.key", "passphrase"} {
		if _, there := m.File(name); !there {
			t.Errorf("%s is not in it", name)
		}
	}
	again, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := a.Backups(t.Context(), 0, 10)
	if err != nil || len(all) != 2 || all[0].ID != again.ID || all[1].There() || !all[0].There() {
		t.Errorf("of one day the newest is kept: %+v, %v", all, err)
	}
}

// TestBackupPassphrase sees that it is refused when it is weak, changes, and is nowhere
// in clear text.
func TestBackupPassphrase(t *testing.T) {
	a, v := vaultOf(t)
	for _, weak := range []string{"", "short", "  twelve and more ", "twelve and\nmore"} {
		if err := a.SetBackupPassphrase(t.Context(), weak, "admin", ""); err == nil {
			t.Errorf("%q was taken", weak)
		}
	}
	first, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	drawn := NewBackupPassphrase()
	if len(drawn) != 29 || drawn == NewBackupPassphrase() || checkBackupPassphrase(drawn) != nil {
		t.Errorf("drawn: %q", drawn)
	}
	if err := a.SetBackupPassphrase(t.Context(), drawn, "admin", ""); err != nil {
		t.Fatal(err)
	}
	b, err := v.verify(t.Context(), first.ID, "admin", "")
	if !errors.Is(err, backup.ErrPassphrase) || !b.Sound {
		t.Errorf("under an earlier passphrase: %v, sound %v", err, b.Sound)
	}
	if err := a.db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(a.dir.root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range []string{drawn, backupPhrase} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s tells a passphrase", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := os.Remove(a.dir.backupKey("regtest")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.create(t.Context(), "admin", ""); !errors.Is(err, errBackupKey) {
		t.Errorf("without the key: %v", err)
	}
}

// TestBackupVerdict spoils backups and books, and sees what is said of them.
func TestBackupVerdict(t *testing.T) {
	a, v := vaultOf(t)
	good, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(v.dir.backups(v.network), good.Name)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := slices.Clone(whole)
	spoiled[len(spoiled)/2] ^= 1
	if err := os.WriteFile(file, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := a.VerifyBackup(t.Context(), good.ID, "admin", ""); !errors.Is(err, backup.ErrAltered) || b.Sound || b.Problem == "" {
		t.Errorf("a spoiled one: %+v, %v", b, err)
	}
	if s, err := a.BackupState(t.Context()); err != nil || !s.LastVerified.IsZero() || s.Problem == "" {
		t.Errorf("with a spoiled one alone: %+v, %v", s, err)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := a.VerifyBackup(t.Context(), good.ID, "admin", ""); err != nil || !b.Sound || b.Problem != "" {
		t.Errorf("mended: %+v, %v", b, err)
	}
	if err := a.RemoveBackup(t.Context(), good.ID, PlaceBox, "admin", ""); !errors.Is(err, ErrLastBackup) {
		t.Errorf("the last one: %v", err)
	}

	// Books that do not add up make a backup that is not sound, and it pushes out nothing.
	err = a.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO balance (account, bucket, amount) VALUES (1, 'payable', 7)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := v.create(t.Context(), "admin", "")
	if err == nil || bad.Sound || bad.Problem == "" || !strings.Contains(bad.Problem, "I12") {
		t.Errorf("of books that do not add up: %+v, %v", bad, err)
	}
	kept, err := a.Backup(t.Context(), good.ID)
	if err != nil || !kept.There() {
		t.Errorf("the sound one is gone: %+v, %v", kept, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.OpenBackup(t.Context(), good.ID, "admin", ""); !errors.Is(err, ErrNoBackup) {
		t.Errorf("one that somebody has deleted: %v", err)
	}
	if _, err := a.VerifyBackup(t.Context(), 99, "admin", ""); !errors.Is(err, ErrNoBackup) {
		t.Errorf("one that never was: %v", err)
	}
}

// other is a place besides the box that can fail.
type other struct {
	backup.Folder
	away error
	turn func([]byte) // what becomes of what is kept
}

func (o *other) Put(ctx context.Context, name string, content io.Reader) error {
	if o.away != nil {
		return o.away
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if o.turn != nil {
		o.turn(text)
	}
	return o.Folder.Put(ctx, name, strings.NewReader(string(text)))
}

func TestBackupOtherPlaces(t *testing.T) {
	a, v := vaultOf(t)
	disk := &other{Folder: backup.Folder{Dir: t.TempDir()}}
	v.others = []BackupPlace{{"disk", disk}}
	b, err := v.create(t.Context(), "admin", "")
	if err != nil || len(b.Copies) != 2 || !b.Copies[1].There() {
		t.Errorf("%+v, %v", b, err)
	}
	disk.away = backup.ErrAway
	b, err = v.create(t.Context(), "admin", "")
	if !errors.Is(err, backup.ErrAway) || !b.Sound || b.Copies[1].There() || b.Copies[1].Problem == "" {
		t.Errorf("with the disk away: %+v, %v", b, err)
	}
	if s, err := a.BackupState(t.Context()); err != nil || !strings.Contains(s.Problem, "disk") || s.LastVerified.IsZero() {
		t.Errorf("with the disk away: %+v, %v", s, err)
	}
	disk.away, disk.turn = nil, func(text []byte) { text[len(text)/2] ^= 1 }
	b, err = v.create(t.Context(), "admin", "")
	if !errors.Is(err, backup.ErrAltered) || !b.Sound || b.Copies[1].There() {
		t.Errorf("with a disk that spoils: %+v, %v", b, err)
	}
}

// A backup is not begun when it would leave less than a box has to keep.
func TestBackupRoom(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "400m")
	v := &vault{dir: dataDir{disk.Dir}, network: bitcoind.NetworkRegtest}
	if err := os.Mkdir(v.dir.of(v.network), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := v.room(); err == nil || !strings.Contains(err.Error(), "501 MB of free space") {
		t.Errorf("room = %v, want a refusal", err)
	}
}

func TestOneBackupAtATime(t *testing.T) {
	_, v := vaultOf(t)
	_, end, err := v.take()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.create(t.Context(), "admin", ""); !errors.Is(err, ErrBackupBusy) {
		t.Errorf("%v, want %v", err, ErrBackupBusy)
	}
	end()
	if _, err := v.create(t.Context(), "admin", ""); err != nil {
		t.Error(err)
	}
}
