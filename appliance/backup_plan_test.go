package appliance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBackupDue(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		now, want string
		minutes   int
		zone      *time.Location
	}{
		"before it":      {"2026-11-23T01:59:00Z", "2026-11-22T02:00:00Z", 120, time.UTC},
		"at it":          {"2026-11-23T02:00:00Z", "2026-11-23T02:00:00Z", 120, time.UTC},
		"after it":       {"2026-11-23T23:00:00Z", "2026-11-23T02:00:00Z", 120, time.UTC},
		"at midnight":    {"2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", 0, time.UTC},
		"elsewhere":      {"2026-11-23T00:30:00Z", "2026-11-22T01:00:00Z", 120, berlin},
		"on a short day": {"2026-03-29T12:00:00Z", "2026-03-29T04:00:00Z", 6 * 60, berlin},
		"on a long day":  {"2026-10-25T12:00:00Z", "2026-10-25T05:00:00Z", 6 * 60, berlin},
	}
	for name, test := range tests {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := backupDue(now, test.minutes, test.zone).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s: backupDue = %s, want %s", name, got, test.want)
		}
	}
}

// A plan that is changed brings the next backup there; a change that does not do
// changes nothing.
func TestBackupPlan(t *testing.T) {
	a, v := vaultOf(t)
	ctx := t.Context()
	p, err := a.BackupPlan(ctx)
	if err != nil || p.At != usualBackupTime || p.Folder != "" || p.Server != nil || p.Disk {
		t.Fatalf("the plan of a new box is %+v, %v", p, err)
	}
	folder := filepath.Join(t.TempDir(), "backups")
	change := func(c BackupChange) error {
		t.Helper()
		c.Actor, c.IP = "admin", "127.0.0.1"
		return a.ChangeBackups(ctx, c)
	}
	for name, c := range map[string]BackupChange{
		"a folder that is not there":  {Folder: &folder},
		"a folder of nobody knows":    {Folder: new("backups")},
		"a time of no day":            {At: new(24 * 60)},
		"a short passphrase":          {Passphrase: "short"},
		"a server without its key":    {Server: &ServerChange{Address: "nas", User: "box"}},
		"a server without a password": {Server: &ServerChange{Address: "nas", User: "box", HostKey: hostKeyLine, ByPassword: true}},
	} {
		if _, refused := errors.AsType[*PersonError](change(c)); !refused {
			t.Errorf("%s was not refused", name)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	const second = "another passphrase of a box"
	if err := change(BackupChange{Folder: &folder, At: new(205), Disk: new(true), Passphrase: second}); err != nil {
		t.Fatal(err)
	}
	if err := change(BackupChange{Folder: new("")}); !errors.Is(err, ErrSettingsChanged) {
		t.Errorf("a change of an older plan: %v", err)
	}
	p, err = a.BackupPlan(ctx)
	if err != nil || p.At != 205 || p.Folder != folder || !p.Disk || p.Rev != 1 {
		t.Errorf("the plan is %+v, %v", p, err)
	}
	if got, err := backupPassphrase(ctx, a.dir, a.network, a.db); err != nil || got != second {
		t.Errorf("the passphrase is %q, %v", got, err)
	}
	if err := a.TryBackupPlace(ctx, PlaceFolder); err != nil {
		t.Error(err)
	}
	if err := a.TryBackupPlace(ctx, PlaceServer); !errors.Is(err, ErrNoPlace) {
		t.Errorf("a place that is none: %v", err)
	}
	if err := a.TryBackupPlace(ctx, PlaceDisk); err == nil || !strings.Contains(err.Error(), "no disk is mounted") && !strings.Contains(err.Error(), "no folder") {
		t.Errorf("without a disk: %v", err)
	}

	// The next backup goes there; the disk that is not there keeps it from nowhere.
	again, err := a.vault(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again.wallet = v.wallet
	b, err := again.create(ctx, "admin", "")
	if err == nil || !b.Sound {
		t.Errorf("create = %+v, %v, want a sound backup and a place that is not there", b, err)
	}
	if _, err := os.Stat(filepath.Join(folder, b.Name)); err != nil {
		t.Error(err)
	}
	s, err := a.BackupState(ctx)
	if err != nil || !strings.Contains(s.Problem, PlaceDisk) {
		t.Errorf("state: %+v, %v", s, err)
	}
	entries, err := a.FindAudit(ctx, AuditFilter{Action: "backup.plan", Limit: 10})
	if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Detail["folder"], folder) {
		t.Errorf("audit log: %+v, %v", entries, err)
	}
}

const hostKeyLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

// The box's key is made once, and the secrets lie sealed in the database.
func TestServerSecrets(t *testing.T) {
	a, _ := vaultOf(t)
	ctx := t.Context()
	if err := a.makeServerKey(ctx); err != nil {
		t.Fatal(err)
	}
	first, err := a.BackupPlan(ctx)
	if err != nil || !strings.HasPrefix(first.Key, "ssh-ed25519 ") {
		t.Fatalf("the box's key is %q, %v", first.Key, err)
	}
	if err := a.makeServerKey(ctx); err != nil {
		t.Fatal(err)
	}
	if again, err := a.BackupPlan(ctx); err != nil || again.Key != first.Key {
		t.Errorf("the box's key became %q, %v", again.Key, err)
	}
	stored, _, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.plannedServer(stored, ServerChange{Address: "nas", User: "box", HostKey: hostKeyLine, ByPassword: true, Password: "Planted-Secret-1"})
	if err != nil || next.Server == nil || next.Server.Password == "" || strings.Contains(next.Server.Password, "Planted") {
		t.Errorf("planned %+v, %v", next.Server, err)
	}
	if s := next.server(a.dir, a.network); s.Password != "Planted-Secret-1" || len(s.Key) > 0 {
		t.Errorf("with a password: %+v", s)
	}
	// The same server keeps its password without anybody typing it again; another does not.
	same, err := a.plannedServer(next, ServerChange{Address: "nas", User: "box", Folder: "elsewhere", HostKey: hostKeyLine, ByPassword: true})
	if err != nil || same.Server.Password != next.Server.Password {
		t.Errorf("the same server: %+v, %v", same.Server, err)
	}
	if _, err := a.plannedServer(next, ServerChange{Address: "other", User: "box", HostKey: hostKeyLine, ByPassword: true}); err == nil {
		t.Error("another server got the password")
	}
	byKey, err := a.plannedServer(next, ServerChange{Address: "nas", User: "box", HostKey: hostKeyLine})
	if s := byKey.server(a.dir, a.network); err != nil || s.Password != "" || !strings.Contains(string(s.Key), "OPENSSH PRIVATE KEY") {
		t.Errorf("with the key: %v", err)
	}
	if err := os.Remove(a.dir.backupKey(a.network)); err != nil {
		t.Fatal(err)
	}
	if s := byKey.server(a.dir, a.network); len(s.Key) > 0 {
		t.Error("the key is read without what it is sealed with")
	}
}

// Two orders are not carried out at a time, and nobody is asked for what is not there.
func TestBackupOrders(t *testing.T) {
	a, _ := vaultOf(t)
	if err := a.OrderBackup(t.Context(), "admin", ""); !errors.Is(err, ErrStarting) {
		t.Errorf("OrderBackup of a box that starts = %v, want %v", err, ErrStarting)
	}
	if err := a.OrderBackupCheck(t.Context(), 99, "admin", ""); !errors.Is(err, ErrNoBackup) {
		t.Errorf("OrderBackupCheck = %v, want %v", err, ErrNoBackup)
	}
	end := a.underWay(BackupCreate)
	inner := a.underWay(BackupVerify)
	if w := a.BackupWork(); w.What != BackupCreate || w.Since.IsZero() {
		t.Errorf("under way: %+v", w)
	}
	inner()
	if a.BackupWork().What != BackupCreate {
		t.Error("the end of the second thing ended the first")
	}
	end()
	if w := a.BackupWork(); w.What != "" {
		t.Errorf("still under way: %+v", w)
	}
}
