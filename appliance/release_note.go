package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// releaseNote is which version of the program runs with these books, since when,
// and which one ran before.
type releaseNote struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Before  string    `json:"before,omitempty"`
}

// Upgraded returns the version that ran on this box before the present one, and
// when that changed; "" when there was none, or none is known.
func (a *Appliance) Upgraded(ctx context.Context) (before string, at time.Time, err error) {
	var note releaseNote
	if _, err := a.readSetting(ctx, settingRelease, &note); err != nil {
		return "", time.Time{}, err
	}
	return note.Before, note.Since, nil
}

// noteRelease writes down which version runs, when that is another one than before.
func (a *Appliance) noteRelease(ctx context.Context) error {
	if a.config.Release == "" || a.clockUnset(time.Now()) {
		return nil
	}
	var note releaseNote
	if _, err := a.readSetting(ctx, settingRelease, &note); err != nil || note.Version == a.config.Release {
		return err
	}
	return a.saveSetting(ctx, settingRelease, releaseNote{Version: a.config.Release, Since: time.Now().UTC(), Before: note.Version})
}

// lastRelease reads from books of any version which program ran with them, "" when
// that is not known.
func (d dataDir) lastRelease(ctx context.Context, network string) string {
	if !exists(d.ledger(network)) {
		return ""
	}
	db := sqlite.View(d.ledger(network))
	defer db.Close()
	var text string
	var note releaseNote
	if err := db.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, settingRelease).Scan(&text); err != nil {
		return ""
	}
	if err := json.Unmarshal([]byte(text), &note); err != nil {
		return ""
	}
	return note.Version
}

// upgrade brings the books of a network to this version, for who has the lock.
func (d dataDir) upgrade(ctx context.Context, network string, log *slog.Logger) error {
	b := d.books(network)
	if err := b.checkRollback(); err != nil {
		return err
	}
	have, newest, err := b.versions(ctx)
	if err != nil {
		return err
	}
	if have != newest {
		log.Info("The books are copied and brought to this version", "ledger", have.Ledger, "shares", have.Shares)
		tellSystemd(log, "STATUS=Copying the books, then bringing them to this version.")
	}
	return b.upgrade(ctx, d.lastRelease(ctx, network))
}

// openLedger opens the books, or makes them, for a command beside the daemon, which
// alone may bring them to a new version.
func (d dataDir) openLedger(ctx context.Context, network string) (*sqlite.DB, error) {
	if err := d.books(network).checkRollback(); err != nil {
		return nil, err
	}
	used, err := d.hasOperator(ctx, network)
	if err != nil {
		return nil, err
	}
	version, newest, err := sqlite.Version(ctx, d.ledger(network), ledger.Schema)
	if err == nil && used && version < newest {
		err = errors.New("these books are of an older version of DMPool; start the pool of this version first, which copies them and brings them up to date")
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	db, err := sqlite.Open(ctx, d.ledger(network), ledger.Schema)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return db, nil
}
