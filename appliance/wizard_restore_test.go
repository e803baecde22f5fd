package appliance

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

// A box that waits for its first set-up becomes the one of a backup instead.
func TestWizardRestores(t *testing.T) {
	content, _ := backedUp(t)
	dir := filepath.Join(t.TempDir(), "box")
	w := openWizard(t, dir)
	ended := make(chan error, 1)
	go func() { ended <- w.Await(t.Context()) }()

	if err := w.Restore(t.Context(), ""); !errors.Is(err, ErrNoBackupHere) {
		t.Errorf("without a backup: %v", err)
	}
	if _, err := w.ReceiveBackup(t.Context(), bytes.NewReader(content), "another passphrase"); !errors.Is(err, backup.ErrPassphrase) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, waits := w.ReceivedBackup(); waits {
		t.Error("what was refused waits to be restored")
	}
	for range 2 {
		p, err := w.ReceiveBackup(t.Context(), bytes.NewReader(content), backupPhrase)
		if err != nil || p.Network != "regtest" || p.Here != nil || p.Backup.Sums.Payable != owed {
			t.Fatalf("preview %+v, %v", p, err)
		}
	}
	if err := w.DropBackup(); err != nil || exists(w.dir.restored("")) {
		t.Errorf("dropped: %v, still there: %v", err, exists(w.dir.restored("")))
	}
	if _, err := w.ReceiveBackup(t.Context(), bytes.NewReader(content), backupPhrase); err != nil {
		t.Fatal(err)
	}
	if err := w.Restore(t.Context(), "192.168.1.7"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the set-up does not end")
	}
	a, err := w.Open(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if sums, err := a.Ledger().Sums(t.Context()); err != nil || sums.Payable != owed || a.Network() != "regtest" || exists(a.dir.wizard()) {
		t.Errorf("sums %+v, %v; network %s", sums, err, a.Network())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
