package appliance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/payout"
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

// TestRestoreWithWords restores books that are older than a payout, and the wallet from
// its words. Before the wallet has read the chain it does not know that payout, however
// often it is asked and for how long; afterwards it does, and nobody is paid twice.
func TestRestoreWithWords(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	answers := parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"wallet":{"words":true,"unlock":"ask","passphrase":"`+walletPassphrase+`"}}`)
	if err := SetUp(ctx, dir, answers); err != nil {
		t.Fatal(err)
	}
	config := Config{DataDir: dir, Bitcoind: binary, Release: "1.2.3", backupWork: quickWork}
	b := launchWith(t, config)
	b.eventually("the box asks for the words", func() bool { return strings.Contains(b.wallet().Problem, "twelve words") })
	words := b.drawAndConfirm()
	b.mineAt(60)
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	b.rest()
	if err := b.box.SetBackupPassphrase(ctx, backupPhrase, "admin", ""); err != nil {
		t.Fatal(err)
	}
	made, err := b.box.CreateBackup(ctx, "admin", "")
	if err != nil || made.Notice != "" {
		t.Fatalf("%+v, %v", made, err)
	}
	content := b.taken(made.ID)
	b.mineAt(60)
	later := b.approve()
	b.eventually("the payout after the backup is settled", func() bool { return b.state(later) == payout.Settled })
	b.rest()
	paid, err := b.box.Payouts().Get(ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	b.stop()

	restoreInto(t, dir, content)
	damageWallet(t, dir, "dmpool-regtest")
	if err := os.Remove(dataDir{dir}.broughtWallet("regtest")); err != nil {
		t.Fatal(err)
	}
	b = launchWith(t, config)
	b.eventually("the wallet is said to be damaged", func() bool { return strings.Contains(b.wallet().Problem, "restore it on the wallet page") })
	// The box has ended since somebody typed the words: it does not have the passphrase any
	// more that it takes to read the chain.
	restoring := Restoring{Words: strings.Join(words, " "), Actor: "admin", IP: "127.0.0.1"}
	b.box.wallet.making.Lock()
	err = b.box.wallet.fromWords(ctx, restoring, walletPassphrase, AuditEntry{Actor: "admin", Action: "wallet.restore", Result: "ok"})
	b.box.wallet.making.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("the wallet waits for its passphrase", func() bool { return strings.Contains(b.wallet().Problem, "type its passphrase") })
	const reads = "still reads the chain"
	for range 3 {
		if err := b.box.advancePayouts(ctx); err == nil || !strings.Contains(err.Error(), reads) {
			t.Fatalf("a pass over the payouts: %v", err)
		}
	}
	freezes := b.freezes()
	if len(freezes) != 1 || freezes[0].Old.IsZero() {
		t.Fatalf("freezes before the wallet has read the chain: %+v", freezes)
	}
	lift := payout.Lift{Reason: "it is explained", Actor: "admin", IP: "127.0.0.1", Freezes: 1, Operators: 1}
	if err := b.box.Payouts().Lift(ctx, lift); err == nil || !strings.Contains(err.Error(), reads) {
		t.Errorf("lifted while the wallet had not read the chain: %v", err)
	}

	if err := b.box.keys.keep(walletPassphrase); err != nil {
		t.Fatal(err)
	}
	b.box.wallet.rouse()
	b.eventually("the payment that the books do not know is seen", func() bool {
		return slices.ContainsFunc(b.freezes(), func(f payout.Freeze) bool { return f.TxID != nil && *f.TxID == *paid.TxID })
	})
	b.eventually("books and wallet are compared", func() bool {
		c, ok := b.box.Payouts().Compared()
		return ok && c.Missing() > 0
	})
	b.eventually("the freezes are lifted", func() bool {
		c, _ := b.box.Payouts().Compared()
		lift.Freezes, lift.Amount = 0, -c.Missing()
		for _, f := range b.freezes() {
			if f.LiftedAt.IsZero() {
				lift.Freezes++
			}
		}
		err := b.box.Payouts().Lift(ctx, lift)
		if err != nil && !errors.Is(err, payout.ErrStale) {
			t.Log(err)
		}
		return err == nil
	})
	if p, err := b.box.Payouts().Draft(ctx, payout.DraftRequest{Actor: "admin", IdemKey: "again"}); !errors.Is(err, payout.ErrNothingDue) {
		t.Errorf("who was paid after the backup is paid again: %+v, %v", p, err)
	}
	b.stop()
}

func (b *runningBox) freezes() []payout.Freeze {
	b.t.Helper()
	all, err := b.box.Payouts().Freezes(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}
