package appliance

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// owed is what the miner of these tests is owed, in satoshis.
const owed = 123_456

// oweMiner books a debt to a miner.
func oweMiner(t *testing.T, db *sqlite.DB, key string) {
	t.Helper()
	err := ledger.New(db).Update(t.Context(), func(tx *ledger.Tx) error {
		miner, err := tx.OpenAccount(t.Context(), "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", []byte{0, 20, 1}, time.Now())
		if err != nil {
			return err
		}
		return tx.Post(t.Context(), ledger.Event{Key: key, Kind: ledger.KindAdjust, Ref: key, Actor: "test", At: time.Now()}, []ledger.Posting{
			{Account: miner, Bucket: ledger.Payable, Amount: -owed}, {Account: ledger.WalletSpendable, Amount: owed},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// backedUp makes a box that owes something to a miner, and a backup of it.
func backedUp(t *testing.T) (content []byte, of string) {
	t.Helper()
	a, v := vaultOf(t)
	oweMiner(t, a.db, "owed")
	b, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(filepath.Join(v.dir.backups(v.network), b.Name))
	if err != nil {
		t.Fatal(err)
	}
	return content, a.dir.root
}

func restoreInto(t *testing.T, dir string, content []byte) (aside string) {
	t.Helper()
	r, err := OpenRestoration(t.Context(), dir, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	aside, err = r.Commit(t.Context(), "terminal", "")
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return aside
}

// opened opens a box, looks whether its books are those of the backup, and calls more.
func opened(t *testing.T, dir string, more func(a *Appliance)) {
	t.Helper()
	a, err := New(t.Context(), Config{DataDir: dir, backupWork: quickWork, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !a.SetUp(t.Context()) || a.Network() != "regtest" {
		t.Errorf("set up: %v, on %s", a.SetUp(t.Context()), a.Network())
	}
	if err := a.ledger.Check(t.Context()); err != nil {
		t.Error(err)
	}
	sums, err := a.ledger.Sums(t.Context())
	if err != nil || sums.Payable != owed {
		t.Errorf("owed %d, %v, want %d", sums.Payable, err, owed)
	}
	more(a)
}

func TestRestoreIntoEmpty(t *testing.T) {
	content, of := backedUp(t)
	dir := filepath.Join(t.TempDir(), "fresh")
	r, err := OpenRestoration(t.Context(), dir, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Preview
	if p.Here != nil || p.Network != "regtest" || len(p.Backup.Operators) != 1 || p.Backup.Sums.Payable != owed || !p.Backup.Freeze || len(p.Backup.Miners) != 1 || p.Backup.Last.IsZero() {
		t.Errorf("preview: %+v", p)
	}
	if aside, err := r.Commit(t.Context(), "terminal", ""); err != nil || aside != "" {
		t.Errorf("aside %q, %v", aside, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	opened(t, dir, func(a *Appliance) {
		if got, err := backupPassphrase(t.Context(), a.dir, a.network, a.db); err != nil || got != backupPhrase {
			t.Errorf("passphrase of the backups %q, %v", got, err)
		}
		if s, err := a.BackupState(t.Context()); err != nil || s.Kept != 0 || !s.Last.Sound || !s.LastVerified.IsZero() {
			t.Errorf("backups: %+v, %v", s, err)
		}
		if frozen := count(t, a.dir.ledger(a.network), `SELECT COUNT(*) FROM event WHERE kind = 'freeze'`); frozen != 1 {
			t.Errorf("%d freezes, want 1", frozen)
		}
		wantAudit(t, a, "backup.restore", p.Name, "ok")
	})
	for _, name := range []string{"passphrase", "backup.key"} {
		was, err := os.ReadFile(filepath.Join(of, "regtest", name))
		if err != nil {
			t.Fatal(err)
		}
		if is, err := os.ReadFile(filepath.Join(dir, "regtest", name)); err != nil || !bytes.Equal(is, was) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "restore*")); err != nil || left != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestRestoreOver puts a backup in the place of newer books, which are put aside.
func TestRestoreOver(t *testing.T) {
	content, _ := backedUp(t)
	over := filepath.Join(t.TempDir(), "box")
	restoreInto(t, over, content)
	opened(t, over, func(a *Appliance) {})
	d := dataDir{over}
	db, err := d.openLedger(t.Context(), "regtest")
	if err != nil {
		t.Fatal(err)
	}
	oweMiner(t, db, "more")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, stray := range []string{"jobs.held", rollbackOrder, "second-factor.key"} {
		if err := os.WriteFile(filepath.Join(d.of("regtest"), stray), []byte("of another time"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := OpenRestoration(t.Context(), over, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Preview; p.Here == nil || p.Here.Sums.Payable != 2*owed || p.Lost.Bookings != 2 {
		t.Errorf("preview: %+v", p)
	}
	aside, err := r.Commit(t.Context(), "terminal", "")
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	opened(t, over, func(a *Appliance) {})
	for _, name := range []string{ledgerFile, "jobs.held", rollbackOrder, "second-factor.key", "passphrase"} {
		if !exists(filepath.Join(aside, name)) {
			t.Errorf("%s is not aside", name)
		}
	}
	for _, stray := range []string{"jobs.held", rollbackOrder, "second-factor.key"} {
		if exists(filepath.Join(d.of("regtest"), stray)) {
			t.Errorf("%s is still there", stray)
		}
	}
	if n := count(t, filepath.Join(aside, ledgerFile), `SELECT COUNT(*) FROM event WHERE kind = 'adj'`); n != 2 {
		t.Errorf("%d bookings aside, want 2", n)
	}

	// Also in the place of what cannot be read any more.
	if err := os.WriteFile(d.ledger("regtest"), bytes.Repeat([]byte("damage"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err = OpenRestoration(t.Context(), over, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if r.Preview.Here == nil || r.Preview.Broken == "" {
		t.Errorf("preview of damaged books: %+v", r.Preview)
	}
	if _, err := r.Commit(t.Context(), "terminal", ""); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	opened(t, over, func(a *Appliance) {})
}

// TestRestoreFindsBackups restores a box whose folder has backups, of which the books
// know only some.
func TestRestoreFindsBackups(t *testing.T) {
	content, of := backedUp(t)
	known, err := filepath.Glob(filepath.Join(of, "regtest", "backups", "*"+backup.Suffix))
	if err != nil || len(known) != 1 {
		t.Fatal(known, err)
	}
	dir := restoredCopy(t, content)
	folder := dataDir{dir}.backups("regtest")
	newer := backup.Name("regtest", time.Now().Add(time.Hour), 1)
	for _, name := range []string{filepath.Base(known[0]), newer} {
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	restoreInto(t, dir, content)
	opened(t, dir, func(a *Appliance) {
		all, err := a.Backups(t.Context(), 0, 10)
		if err != nil || len(all) != 2 || all[0].Name != newer || all[0].Sound || !all[0].There() || all[0].Size != int64(len(content)) ||
			!all[1].Sound || !all[1].There() {
			t.Fatalf("%+v, %v", all, err)
		}
		if s, err := a.BackupState(t.Context()); err != nil || s.Last.ID != all[1].ID || s.Kept != 2 || s.LastVerified.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := a.CleanUpBackups(t.Context(), "admin", ""); err != nil {
			t.Error(err)
		}
		if b, err := a.VerifyBackup(t.Context(), all[0].ID, "admin", ""); err != nil || !b.Sound || len(b.SHA256) != 64 {
			t.Errorf("tried out: %+v, %v", b, err)
		}
	})
}

// TestRestoreRefuses sees that nothing is changed by what is refused.
func TestRestoreRefuses(t *testing.T) {
	content, running := backedUp(t)
	elsewhere := filepath.Join(t.TempDir(), "practice")
	if err := SetUp(t.Context(), elsewhere, parse(t, `{"network":"practice","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	for name, c := range map[string]struct {
		dir        string
		content    []byte
		passphrase string
		want       error
		says       string
	}{
		"another passphrase":  {empty, content, "another passphrase", backup.ErrPassphrase, ""},
		"cut off":             {empty, content[:len(content)/2], backupPhrase, backup.ErrTruncated, ""},
		"altered":             {empty, append(bytes.Clone(content[:len(content)-9]), make([]byte, 9)...), backupPhrase, backup.ErrAltered, ""},
		"no backup":           {empty, []byte("PK\x03\x04 an archive"), backupPhrase, backup.ErrNotBackup, ""},
		"over a running box":  {running, content, backupPhrase, nil, "not restored over a running box"},
		"of another network":  {elsewhere, content, backupPhrase, nil, "backup of a box on the network regtest; this one is on practice"},
		"into what is a file": {filepath.Join(elsewhere, "network"), content, backupPhrase, nil, "cannot be made"},
	} {
		r, err := OpenRestoration(t.Context(), c.dir, bytes.NewReader(c.content), c.passphrase, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%s: taken", name)
			_ = r.Close()
			continue
		}
		if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if exists(filepath.Join(c.dir, "restore")) {
			t.Errorf("%s: something is left", name)
		}
	}
	if left, err := filepath.Glob(filepath.Join(empty, "*")); err != nil || len(left) != 1 { // the lock
		t.Errorf("left in the empty folder: %v, %v", left, err)
	}
	opened(t, restoredCopy(t, content), func(a *Appliance) {
		if _, err := OpenRestoration(t.Context(), a.dir.root, bytes.NewReader(content), backupPhrase, a.log); err == nil || !strings.Contains(err.Error(), "running box") {
			t.Errorf("%v", err)
		}
	})
}

func restoredCopy(t *testing.T, content []byte) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "copy")
	restoreInto(t, dir, content)
	return dir
}

// TestRestoreStopped stops a restore before each of its steps, as a power cut does, and
// has the next start go on.
func TestRestoreStopped(t *testing.T) {
	content, _ := backedUp(t)
	for stop := 0; ; stop++ {
		dir := restoredCopy(t, content)
		d := dataDir{dir}
		r, err := OpenRestoration(t.Context(), dir, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.ready(t.Context(), "terminal", ""), d.writeRestoreOrder(r.m)); err != nil {
			t.Fatal(err)
		}
		o := restoring{Network: "regtest", Aside: d.books("regtest").newAside("replaced")}
		for _, f := range r.m.Files {
			o.Files = append(o.Files, f.Name)
		}
		steps := d.swapSteps(o)
		for _, s := range steps[:min(stop, len(steps))] {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if stop < len(steps) {
			if _, _, err := SetPassword(t.Context(), dir, "", goodPassword); !errors.Is(err, ErrRestoring) {
				t.Errorf("stopped before step %d: a command beside it: %v", stop, err)
			}
		}
		if needed, err := NeedsSetUp(t.Context(), dir, "practice"); err != nil || needed {
			t.Errorf("stopped before step %d: needs a set-up: %v, %v", stop, needed, err)
		}
		opened(t, dir, func(a *Appliance) {})
		if stop >= len(steps) {
			return
		}
	}
}
