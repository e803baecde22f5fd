package appliance

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/payout"
)

func TestAnotherColdAddressWaitsADay(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c := walletCap{}.changed(1000, "mine", now)
	if got := c.at(now); got != (WalletLimit{Sats: 1000, Cold: "mine"}) {
		t.Errorf("the first address is not in force: %+v", got)
	}
	later := now.Add(time.Hour)
	c = c.changed(2000, "thief", later)
	want := WalletLimit{Sats: 2000, Cold: "mine", NextCold: "thief", NextAt: later.Add(coldDelay)}
	if got := c.at(later); got.Cold != want.Cold || got.NextCold != want.NextCold || !got.NextAt.Equal(want.NextAt) || got.Sats != want.Sats {
		t.Errorf("another address: %+v, want %+v", got, want)
	}
	if again := c.changed(2000, "thief", later.Add(time.Hour)); again != c {
		t.Errorf("the same change again: %+v, want %+v", again, c)
	}
	if got := c.changed(2000, "mine", later.Add(time.Hour)).at(later.Add(48 * time.Hour)); got != (WalletLimit{Sats: 2000, Cold: "mine"}) {
		t.Errorf("called off: %+v", got)
	}
	if got := c.at(later.Add(coldDelay)); got != (WalletLimit{Sats: 2000, Cold: "thief"}) {
		t.Errorf("a day later: %+v", got)
	}
	if got := c.changed(2000, "", later).at(later); got.Cold != "mine" || got.NextCold != "" || got.NextAt.IsZero() {
		t.Errorf("taking the address away: %+v", got)
	}
}

func TestWalletLimit(t *testing.T) {
	for _, v := range []struct{ limit, holds, over int64 }{{0, 5000, 0}, {1000, 1000, 0}, {1000, 1001, 1}, {1000, 0, 0}} {
		l := WalletLimit{Sats: v.limit}
		if l.weigh(v.holds); l.Over != v.over {
			t.Errorf("limit %d, holds %d: over by %d, want %d", v.limit, v.holds, l.Over, v.over)
		}
	}
}

func TestSecretIsErased(t *testing.T) {
	for _, text := range []string{"", "x", "a passphrase of the test", string(make([]byte, 5000))} {
		s := newSecret(text)
		if s.text() != text {
			t.Errorf("kept %d bytes, want %d", len(s.text()), len(text))
		}
		s.erase()
		if s.text() != "" || s.page != nil {
			t.Errorf("%d bytes are there after the erasure", len(s.page))
		}
	}
}

func TestPassphraseOfARestoredWalletIsKeptAsChosen(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	d := dataDir{t.TempDir()}
	if err := d.prepare("practice"); err != nil {
		t.Fatal(err)
	}
	asking := &keyring{file: d.passphrase("practice"), unlock: unlockAsk}
	if err := asking.keep("typed"); err != nil || exists(asking.file) || asking.kept() != keptInMemory {
		t.Errorf("asking: %v, in a file %v, kept by %q", err, exists(asking.file), asking.kept())
	}
	asking.forget()
	if asking.kept() != "" {
		t.Error("a passphrase that was forgotten is kept")
	}
	keeping := &keyring{file: d.passphrase("practice"), unlock: unlockAuto}
	if err := keeping.keep("typed"); err != nil || keeping.kept() != keptInFile {
		t.Errorf("unlocking by itself: %v, kept by %q", err, keeping.kept())
	}
}

// The desk is told the address that is in force at the moment, and nothing while
// the setting cannot be read.
func TestPolicyHasTheColdAddressInForce(t *testing.T) {
	ctx := t.Context()
	a, err := New(ctx, Config{DataDir: filepath.Join(t.TempDir(), "box"), Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	const mine, thief = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"
	store := func(value any) {
		t.Helper()
		if err := a.db.Update(ctx, func(tx *sql.Tx) error { return writeSetting(ctx, tx, settingCap, value, time.Now()) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []struct {
		name  string
		value any
		cold  string
		sats  int64
	}{
		{"none", walletCap{Sats: 7}, "", 7},
		{"one", walletCap{Sats: 7, Cold: mine}, mine, 7},
		{"another one waits", walletCap{Sats: 7, Cold: mine, NextCold: thief, NextAt: time.Now().Add(time.Minute).UnixMilli()}, mine, 7},
		{"another one since a moment", walletCap{Sats: 7, Cold: mine, NextCold: thief, NextAt: time.Now().Add(-time.Minute).UnixMilli()}, thief, 7},
		{"of another network", walletCap{Sats: 7, Cold: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}, "", 0},
		{"damaged", "no object", "", 0},
	} {
		store(v.value)
		p := a.payoutPolicy()
		if p.Cold != v.cold || p.WalletLimit != v.sats || (len(p.ColdScript) == 0) != (v.cold == "") {
			t.Errorf("%s: cold %q, script %x, limit %d", v.name, p.Cold, p.ColdScript, p.WalletLimit)
		}
	}
}

// TestBoxSweepsWhatIsBeyondItsLimit lets a real box earn fees, and move them to a
// cold address by itself but for the approval, while its miners are paid.
func TestBoxSweepsWhatIsBeyondItsLimit(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"pool":{"fee_bps":200}}`)); err != nil {
		t.Fatal(err)
	}
	b := startBox(t, dir, binary)
	if message, err := b.box.draftSweep(ctx); err != nil || message != "sweeps are drafted by hand" {
		t.Errorf("not asked for: %q, %v", message, err)
	}
	const cold = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
	if err := b.box.SetWalletLimit(ctx, LimitChange{Sats: 1, Cold: cold, Draft: true, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	b.mine()
	var p payout.Payout
	b.eventually("a sweep is drafted", func() bool {
		if _, err := b.box.draftSweep(ctx); err != nil {
			t.Fatal(err)
		}
		all, err := b.box.Payouts().List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			if one.Purpose == payout.PurposeSweep {
				p = one
			}
		}
		return p.ID != 0
	})
	for b.state(p.ID) == payout.Draft || b.state(p.ID) == payout.Pending {
		b.approve()
	}
	b.eventually("the sweep is settled", func() bool { return b.state(p.ID) == payout.Settled })
	if again, err := b.box.Payouts().Get(ctx, p.ID); err != nil || again.Items[0].Address != cold || again.Total != p.Total {
		t.Errorf("swept: %+v, %v", again, err)
	}
	if message, err := b.box.draftSweep(ctx); err != nil {
		t.Errorf("once more the same day: %q, %v", message, err)
	}
	b.rest()
	b.check()
	b.stop()
}
