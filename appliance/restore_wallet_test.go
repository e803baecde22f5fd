package appliance

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
)

// TestRestoreBesideAnotherWallet restores a backup into a box that was set up before, and
// whose wallet has the name of the backup's: the wallet of the backup is what the box has
// then, and the other one is still there. Restored once more, it is found.
func TestRestoreBesideAnotherWallet(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	box := func(name string) Config {
		dir := filepath.Join(t.TempDir(), name)
		if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
			t.Fatal(err)
		}
		return Config{DataDir: dir, Bitcoind: binary, Release: "1.2.3", backupWork: quickWork}
	}
	reward := func(b *runningBox) (address string) {
		b.eventually("the wallet is ready", b.box.wallet.ready)
		if known, err := b.box.readSetting(t.Context(), settingReward, &address); err != nil || !known {
			t.Fatalf("no reward address: %v", err)
		}
		return address
	}

	b := launchWith(t, box("lost"))
	want := reward(b)
	if err := b.box.SetBackupPassphrase(t.Context(), backupPhrase, "admin", ""); err != nil {
		t.Fatal(err)
	}
	made, err := b.box.CreateBackup(t.Context(), "admin", "")
	if err != nil || made.Notice != "" {
		t.Fatalf("%+v, %v", made, err)
	}
	content := b.taken(made.ID)
	b.stop()

	config := box("set up first")
	b = launchWith(t, config)
	other := reward(b)
	b.stop()
	for _, action := range []string{"wallet.restore", "wallet.found"} {
		restoreInto(t, config.DataDir, content)
		b = launchWith(t, config)
		if got := reward(b); got != want || b.box.wallet.current() != "dmpool-regtest-2" {
			t.Errorf("%s pays %s, want %s; the other wallet has %s", b.box.wallet.current(), got, want, other)
		}
		info, err := b.box.node.AddressInfo(t.Context(), want)
		if err != nil || !info.Mine {
			t.Errorf("the wallet owns the reward address: %v, %v", info.Mine, err)
		}
		wantAudit(t, b.box, action, "dmpool-regtest-2", "ok")
		entries, err := b.box.AuditLog(t.Context(), 100)
		if err != nil || slices.ContainsFunc(entries, func(e AuditEntry) bool { return e.Action == "wallet.restore" && e.Action != action }) {
			t.Errorf("a restore that was none is in the audit log: %+v, %v", entries, err)
		}
		n := b.box.node.ForWallet("dmpool-regtest")
		if err := n.LoadWallet(context.Background(), "dmpool-regtest"); err != nil {
			t.Fatal(err)
		}
		if info, err := n.AddressInfo(t.Context(), other); err != nil || !info.Mine {
			t.Errorf("the wallet of before: %v, %v", info.Mine, err)
		}
		b.stop()
	}
}
