package appliance

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// setUpBox is a box with an operator that does not run.
func setUpBox(t *testing.T) *Appliance {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"operator":{"user":"anna","password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

func TestChangeSettings(t *testing.T) {
	ctx := t.Context()
	a := setUpBox(t)
	s, rev, err := a.StoredSettings(ctx)
	if err != nil || rev != 1 {
		t.Fatalf("revision %d, %v", rev, err)
	}
	s.FeeBps, s.Name = 150, "Hill & Valley"
	change := SettingsChange{Rev: rev, Settings: s, Actor: "anna", IP: "192.168.1.9"}
	if err := a.ChangeSettings(ctx, change); err != nil {
		t.Fatal(err)
	}
	stored, rev, err := a.StoredSettings(ctx)
	if err != nil || rev != 2 || stored != s || a.Settings() != s {
		t.Errorf("revision %d, stored %+v, in force %+v, %v; want %+v", rev, stored, a.Settings(), err, s)
	}
	entry := lastAudit(t, a)
	if entry.Action != "settings" || entry.Actor != "anna" || entry.IP != "192.168.1.9" || len(entry.Detail) != 2 ||
		entry.Detail["fee_bps"] != "0 → 150" || entry.Detail["name"] != `"DMPool" → "Hill & Valley"` {
		t.Errorf("audit entry %+v", entry)
	}

	change.Settings.FeeBps = 10
	if err := a.ChangeSettings(ctx, change); !errors.Is(err, ErrSettingsChanged) {
		t.Errorf("from an old revision: %v", err)
	}
	if a.Settings().FeeBps != 150 {
		t.Errorf("a refused change is in force: %+v", a.Settings())
	}
}

// What cannot be is refused with a sentence for each fault, and the last good
// settings stay; what changes nothing leaves no trace.
func TestFault52SettingsRefused(t *testing.T) {
	ctx := t.Context()
	a := setUpBox(t)
	before := a.Settings()
	s := before
	s.FeeBps, s.DonationBps, s.MinPayoutSat = 10_000, 10_000, 5
	err := a.ChangeSettings(ctx, SettingsChange{Rev: 1, Settings: s, Actor: "anna"})
	var refused *SettingsError
	if !errors.As(err, &refused) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %v, want three sentences", err)
	}
	if err := a.ChangeSettings(ctx, SettingsChange{Rev: 1, Settings: before, Actor: "anna"}); err != nil {
		t.Error(err)
	}
	if got, rev, err := a.StoredSettings(ctx); err != nil || rev != 1 || got != before {
		t.Errorf("revision %d, %+v, %v", rev, got, err)
	}
	if entry := lastAudit(t, a); entry.Action != "setup" {
		t.Errorf("the audit log tells of a change that was none: %+v", entry)
	}
}

// Of many changes from one revision one wins, and what is in force is what is
// stored.
func TestChangeSettingsAtOnce(t *testing.T) {
	ctx := t.Context()
	a := setUpBox(t)
	var group sync.WaitGroup
	var done atomic.Int64
	for i := range 20 {
		group.Go(func() {
			s := a.Settings()
			s.FeeBps = int64(i + 1)
			err := a.ChangeSettings(ctx, SettingsChange{Rev: 1, Settings: s, Actor: "anna"})
			if err == nil {
				done.Add(1)
			} else if !errors.Is(err, ErrSettingsChanged) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stored, rev, err := a.StoredSettings(ctx)
	if err != nil || done.Load() != 1 || rev != 2 || stored != a.Settings() {
		t.Errorf("%d changes won, revision %d, stored %+v, in force %+v, %v", done.Load(), rev, stored, a.Settings(), err)
	}
}

func TestSettingsBeforeTheSetUp(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "box"))
	if s, rev, err := a.StoredSettings(t.Context()); err != nil || rev != 0 || s != pool.DefaultSettings(a.Network()) {
		t.Errorf("%+v, revision %d, %v", s, rev, err)
	}
	if err := a.ChangeSettings(t.Context(), SettingsChange{Settings: a.Settings()}); !errors.Is(err, ErrSettingsChanged) {
		t.Errorf("change before the set-up: %v", err)
	}
}

func lastAudit(t *testing.T, a *Appliance) AuditEntry {
	t.Helper()
	log, err := a.AuditLog(t.Context(), 1)
	if err != nil || len(log) != 1 {
		t.Fatalf("%d audit entries, %v", len(log), err)
	}
	return log[0]
}
