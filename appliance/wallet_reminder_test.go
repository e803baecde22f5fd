package appliance

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWayBackIsOverdue(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, v := range []struct {
		name string
		back wayBack
		want string // part of what to do
	}{
		{"no wallet", wayBack{}, ""},
		{"a new one", wayBack{made: ago(7*day - 1)}, ""},
		{"a week old", wayBack{made: ago(7 * day)}, "Take a copy of the wallet away"},
		{"a week old, of words", wayBack{made: ago(7 * day), words: true}, "Type the twelve words"},
		{"tried", wayBack{made: ago(400 * day), tested: ago(180*day - 1)}, ""},
		{"tried long ago", wayBack{made: ago(400 * day), tested: ago(180 * day), words: true}, "Type the twelve words"},
	} {
		got := v.back.overdue(now)
		if (got == "") != (v.want == "") || !strings.Contains(got, v.want) {
			t.Errorf("%s: %q, want %q", v.name, got, v.want)
		}
	}
}

// The reminder stands in the wallet's health from the seventh day on, and goes when
// somebody takes a copy away. Where coins are worth nothing there is none.
func TestReminderIsPartOfTheHealth(t *testing.T) {
	ctx := t.Context()
	a, err := New(ctx, Config{DataDir: filepath.Join(t.TempDir(), "box"), Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	check := func() (Check, bool) { return a.checkWayBack(ctx, WalletStatus{}) }
	if _, remind := check(); remind {
		t.Error("reminded of a wallet that is not there")
	}
	week := time.Now().Add(-testWaits)
	err = a.db.Update(ctx, func(tx *sql.Tx) error {
		return writeSetting(ctx, tx, settingReward, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", week)
	})
	if err != nil {
		t.Fatal(err)
	}
	c, remind := check()
	if !remind || c.Status != Degraded || !strings.Contains(c.Reason, "Nobody has tried the way back to the wallet yet") || c.NextStep == "" {
		t.Errorf("after a week: %+v, %t", c, remind)
	}
	if message, err := a.remindOfWords(ctx); err != nil || message != c.NextStep {
		t.Errorf("the job says %q, %v; the page %q", message, err, c.NextStep)
	}
	if _, remind := a.checkWayBack(ctx, WalletStatus{Cold: true}); remind {
		t.Error("reminded of keys that are elsewhere")
	}
	a.network = "practice"
	if _, remind := check(); remind {
		t.Error("reminded of coins that are worth nothing")
	}
	a.network = "signet"
	if err := a.noteTested(ctx, AuditEntry{Actor: "admin", Action: "wallet.copy", Result: "ok"}); err != nil {
		t.Fatal(err)
	}
	if c, remind := check(); remind {
		t.Errorf("reminded after a copy was taken away: %+v", c)
	}
}
