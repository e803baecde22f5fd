package alert

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Policy says how alerts are told.
type Policy struct {
	Quiet         bool   // there are quiet hours
	From, To      int    // minutes after midnight; From may be later than To
	UrgentWaits   bool   // quiet hours hold back urgent ones, too
	FullAddresses bool   // messages tell the addresses of miners in full
	Language      string // of messages
}

// policy is how it is until somebody changes it.
func (b *Bell) policy() Policy {
	return Policy{From: 22 * 60, To: 7 * 60, Language: b.config.Language}
}

// Policy returns how alerts are told.
func (b *Bell) Policy(ctx context.Context) (Policy, error) {
	p := b.policy()
	err := b.db.Reader().QueryRowContext(ctx, `
		SELECT quiet, quiet_from, quiet_to, urgent_waits, full_addresses, language FROM alert_policy`).
		Scan(&p.Quiet, &p.From, &p.To, &p.UrgentWaits, &p.FullAddresses, &p.Language)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("read how alerts are told: %w", err)
	}
	return p, nil
}

const dayMinutes = 24 * 60

// SetPolicy changes how alerts are told, in the transaction of its audit row. An
// [*Error] says why it cannot be.
func (b *Bell) SetPolicy(ctx context.Context, tx *sql.Tx, p Policy) error {
	if p.From < 0 || p.From >= dayMinutes || p.To < 0 || p.To >= dayMinutes || p.Quiet && p.From == p.To {
		return refuse("quiet hours begin and end at different times of the day")
	}
	if _, ok := b.words[p.Language]; !ok {
		return refuse("there are no messages in the language %q", p.Language)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO alert_policy (id, quiet, quiet_from, quiet_to, urgent_waits, full_addresses, language) VALUES (1, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET quiet = excluded.quiet, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
		       urgent_waits = excluded.urgent_waits, full_addresses = excluded.full_addresses, language = excluded.language`,
		p.Quiet, p.From, p.To, p.UrgentWaits, p.FullAddresses, p.Language)
	if err != nil {
		return fmt.Errorf("write how alerts are told: %w", err)
	}
	return nil
}

// quietUntil returns when the quiet hours end in which now is, in the zone of now; false
// when it is in none.
func (p Policy) quietUntil(now time.Time) (end time.Time, quiet bool) {
	if !p.Quiet {
		return time.Time{}, false
	}
	minute := now.Hour()*60 + now.Minute()
	over := p.From > p.To // midnight
	switch {
	case over && minute >= p.From:
		now = now.AddDate(0, 0, 1)
	case over && minute < p.To, !over && minute >= p.From && minute < p.To:
	default:
		return time.Time{}, false
	}
	return time.Date(now.Year(), now.Month(), now.Day(), p.To/60, p.To%60, 0, 0, now.Location()), true
}
