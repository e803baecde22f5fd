package appliance

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// ErrSettingsChanged says that the settings are no longer as the caller saw
// them: another tab was faster.
var ErrSettingsChanged = errors.New("the settings have changed meanwhile")

// SettingsError says why settings cannot be: one sentence for each that is out
// of its bounds.
type SettingsError struct{ Err error }

// Error implements error.
func (e *SettingsError) Error() string { return e.Err.Error() }

// Unwrap returns the joined sentences.
func (e *SettingsError) Unwrap() error { return e.Err }

// SettingsChange asks for new rules of the pool. The caller has made sure that
// the operator is who they say.
type SettingsChange struct {
	Rev       int64 // of the settings that were on the screen
	Settings  pool.Settings
	Actor, IP string
}

// rules are the settings in force. Two changes may be stored in one order and
// applied in the other; the revision tells which is newer.
type rules struct {
	now atomic.Pointer[pool.Settings]

	mu  sync.Mutex
	rev int64
}

// apply takes settings into use unless newer ones are in use already; take is
// called with them and may be nil.
func (r *rules) apply(rev int64, s pool.Settings, take func(pool.Settings) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rev < r.rev {
		return nil
	}
	r.rev = rev
	r.now.Store(&s)
	if take == nil {
		return nil
	}
	return take(s)
}

// Settings returns the rules of the pool that are in force, the defaults before
// the set-up.
func (a *Appliance) Settings() pool.Settings { return *a.rules.now.Load() }

// StoredSettings returns the rules as they are stored, and their revision.
func (a *Appliance) StoredSettings(ctx context.Context) (pool.Settings, int64, error) {
	return a.storedSettings(ctx, a.db.Reader())
}

// storedSettings reads the rules. What is not stored, because it is newer than
// what is, has its default.
func (a *Appliance) storedSettings(ctx context.Context, q queryer) (pool.Settings, int64, error) {
	s := pool.DefaultSettings(a.network)
	var value string
	var rev int64
	err := q.QueryRowContext(ctx, `SELECT value, rev FROM setting WHERE key = ?`, settingPool).Scan(&value, &rev)
	if errors.Is(err, sql.ErrNoRows) {
		return s, 0, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(value), &s)
	}
	if err != nil {
		return pool.Settings{}, 0, fmt.Errorf("read settings of the pool: %w", err)
	}
	return s, rev, nil
}

// ChangeSettings checks new rules, stores them together with the audit row that
// says what was and what is, and takes them into use: the next job and the next
// payout follow them. It returns a [*SettingsError] when they cannot be, and
// [ErrSettingsChanged] when they were made from others than are stored. Rules
// that change nothing are stored nowhere.
func (a *Appliance) ChangeSettings(ctx context.Context, c SettingsChange) error {
	if err := c.Settings.Validate(); err != nil {
		return &SettingsError{err}
	}
	err := a.db.Update(ctx, func(tx *sql.Tx) error { return a.writeRules(ctx, tx, c) })
	if err != nil {
		return fmt.Errorf("change settings: %w", err)
	}
	return a.catchUp(context.WithoutCancel(ctx)) // stored already: whoever asked may leave
}

func (a *Appliance) writeRules(ctx context.Context, tx *sql.Tx, c SettingsChange) error {
	old, rev, err := a.storedSettings(ctx, tx)
	if err != nil {
		return err
	}
	if rev != c.Rev || rev == 0 { // 0: the box is not set up
		return ErrSettingsChanged
	}
	changes, err := settingsDiff(old, c.Settings)
	if err != nil || len(changes) == 0 {
		return err
	}
	if err := a.maySwitchOn(ctx, tx, old, c); err != nil {
		return err
	}
	now := time.Now()
	if err := writeSetting(ctx, tx, settingPool, c.Settings, now); err != nil {
		return err
	}
	return writeAudit(ctx, tx, AuditEntry{
		At: now, Actor: c.Actor, Action: "settings", Object: settingPool, Result: "ok", IP: c.IP, Detail: changes,
	})
}

// maySwitchOn keeps payouts that nobody approves from being let out, or from being
// let out more of, by somebody who may not approve one.
func (a *Appliance) maySwitchOn(ctx context.Context, q queryer, old pool.Settings, c SettingsChange) error {
	is, was := c.Settings, old
	if !is.SecondFactorToSend || is.AutoApproveBelowSat <= was.AutoApproveBelowSat && is.AutoApproveDailySat <= was.AutoApproveDailySat {
		return nil
	}
	var has bool
	err := q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM second_factor f JOIN operator o ON o.id = f.operator
		                WHERE o.name = ? AND f.confirmed_at IS NOT NULL)`, c.Actor).Scan(&has)
	if err != nil {
		return fmt.Errorf("read second factor: %w", err)
	}
	if !has {
		return ErrNeedsFactor
	}
	return nil
}

// catchUp takes the stored rules into use.
func (a *Appliance) catchUp(ctx context.Context) error {
	s, rev, err := a.StoredSettings(ctx)
	if err != nil {
		return err
	}
	return a.rules.apply(rev, s, func(s pool.Settings) error {
		if jobs := a.schedule.Load(); jobs != nil {
			jobs.settingsChanged()
		}
		if p := a.pool.Load(); p != nil {
			return p.Apply(s)
		}
		return nil
	})
}

// settingsDiff says what changes from old to fresh, by the names that settings
// have in JSON: "0 → 100".
func settingsDiff(old, fresh pool.Settings) (map[string]string, error) {
	was, err := settingValues(old)
	if err != nil {
		return nil, err
	}
	is, err := settingValues(fresh)
	if err != nil {
		return nil, err
	}
	changes := map[string]string{}
	for key, after := range is {
		if before := was[key]; !bytes.Equal(before, after) {
			changes[key] = string(before) + " → " + string(after)
		}
	}
	return changes, nil
}

func settingValues(s pool.Settings) (map[string]json.RawMessage, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // people read it in the audit log
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(text.Bytes(), &values); err != nil {
		return nil, fmt.Errorf("decode settings: %w", err)
	}
	return values, nil
}
