package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// testLasts is how long a test of the words, or a copy that was taken away, says
	// that the wallet can be had again.
	testLasts = 180 * 24 * time.Hour
	// testWaits is how long a new wallet may go without one.
	testWaits = 7 * 24 * time.Hour
)

// wayBack is what is known of the way back to the wallet.
type wayBack struct {
	made   time.Time // when the pool got its wallet; zero: it has none yet
	tested time.Time // when somebody last typed its words, or took a copy away; zero: never
	words  bool      // its keys come from words
}

// overdue returns what to do about a way back that nobody has tried for too long,
// empty when that is not so.
func (b wayBack) overdue(now time.Time) string {
	switch {
	case b.made.IsZero() || now.Sub(b.made) < testWaits || now.Sub(b.tested) < testLasts:
		return ""
	case b.words:
		return "Type the twelve words on the wallet page, to see that you still have them."
	}
	return "Take a copy of the wallet away on the wallet page: one on this disk alone dies with it."
}

// since says for how long nobody has tried it, as the end of a sentence.
func (b wayBack) since() string {
	if b.tested.IsZero() {
		return "yet"
	}
	return "since " + b.tested.UTC().Format(time.DateOnly)
}

func (a *Appliance) wayBack(ctx context.Context) (wayBack, error) {
	var origin walletOrigin
	if _, err := a.readSetting(ctx, settingOrigin, &origin); err != nil {
		return wayBack{}, err
	}
	var made int64
	err := a.db.Reader().QueryRowContext(ctx, `SELECT updated_at FROM setting WHERE key = ?`, settingReward).Scan(&made)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return wayBack{}, fmt.Errorf("read when the wallet was made: %w", err)
	}
	return wayBack{made: orZero(made), tested: orZero(origin.TestedAt), words: origin.Fingerprint != ""}, nil
}

// remindOfWords asks once a week for a test that nobody has made. Between two of
// these it stands on the pages, see [Appliance.Health], and nobody is told.
func (a *Appliance) remindOfWords(ctx context.Context) (string, error) {
	b, err := a.wayBack(ctx)
	if err != nil {
		return "", err
	}
	if todo := b.overdue(time.Now()); todo != "" {
		return todo, nil
	}
	if b.tested.IsZero() {
		return "the wallet is new; its way back has to be tried within a week", nil
	}
	return "the way back to the wallet was tried on " + b.tested.UTC().Format(time.DateOnly), nil
}

// checkWayBack is the part of the wallet's health that only time makes worse. Where
// coins are worth nothing, or the keys are elsewhere, there is nothing to remind of.
func (a *Appliance) checkWayBack(ctx context.Context, w WalletStatus) (Check, bool) {
	if a.privateChain() || w.Cold {
		return Check{}, false
	}
	b, err := a.wayBack(ctx)
	todo := b.overdue(time.Now())
	if err != nil || todo == "" {
		return Check{}, false // a database that cannot be read is told of elsewhere
	}
	return Check{
		Name: "wallet", Status: Degraded, NextStep: todo,
		Reason: "Nobody has tried the way back to the wallet " + b.since() + ".",
	}, true
}
