package appliance

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/google/go-cmp/cmp"
)

// killedBackup names, to a process that is there to be killed, what to do.
const killedBackup = "DMPOOL_TEST_KILLED_BACKUP"

// TestKilledWithBackup kills processes that make backups and restore them, at any
// moment, until one gets through. Whatever lies there under the name of a backup is whole, and
// the books are the old ones or the new ones.
func TestKilledWithBackup(t *testing.T) {
	if do, rest, found := strings.Cut(os.Getenv(killedBackup), " "); found {
		dir, file, _ := strings.Cut(rest, " ")
		switch do {
		case "create":
			opened(t, dir, func(a *Appliance) {
				v, err := a.vault(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				v.wallet = func(context.Context) (walletPart, error) { return walletPart{}, nil }
				if _, err := v.create(t.Context(), "test", ""); err != nil {
					t.Fatal(err)
				}
			})
		case "restore":
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			restoreInto(t, dir, content)
		}
		return
	}
	content, _ := backedUp(t)
	dir := restoredCopy(t, content)
	d := dataDir{dir}
	file := filepath.Join(t.TempDir(), "kept.age")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	kills := untilEnded(t, killedBackup, "create "+dir+" -", func() {
		all, err := backup.Folder{Dir: d.backups("regtest")}.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range all {
			whole, err := os.ReadFile(filepath.Join(d.backups("regtest"), b.Name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unpack(t.Context(), bytes.NewReader(whole), backupPhrase, filepath.Join(t.TempDir(), "whole"), 0); err != nil {
				t.Errorf("%s: %v", b.Name, err)
			}
		}
	})
	opened(t, dir, func(a *Appliance) {
		if s, err := a.BackupState(t.Context()); err != nil || s.LastVerified.IsZero() || s.Problem != "" {
			t.Errorf("after %d kills: %+v, %v", kills, s, err)
		}
	})
	for round := range 3 {
		kills := untilEnded(t, killedBackup, "restore "+dir+" "+file, func() { opened(t, dir, func(a *Appliance) {}) })
		t.Logf("round %d: %d kills", round, kills)
	}
	var names []string
	entries, err := os.ReadDir(d.of("regtest"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".writable-") { // by which a start that was killed tried out the folder
			names = append(names, e.Name())
		}
	}
	if diff := cmp.Diff([]string{"backup.key", "backups", ledgerFile, "passphrase"}, names); diff != "" {
		t.Errorf("in the network's folder (-want +got):\n%s", diff)
	}
}
