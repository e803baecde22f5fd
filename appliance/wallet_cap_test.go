package appliance

import (
	"testing"
	"time"
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
