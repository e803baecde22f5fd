package alert

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// ownPrefix begins the keys of the operators' own rules.
const ownPrefix = "own-"

// Rules returns all rules: those of the program as they are now, in its order, then the
// operators' own.
func (b *Bell) Rules(ctx context.Context) ([]Rule, error) {
	stored, err := readRules(ctx, b.db.Reader())
	if err != nil {
		return nil, err
	}
	var all []Rule
	for _, k := range Kinds() {
		if k.Own {
			continue
		}
		r := k.Default
		if i := slices.IndexFunc(stored, func(s Rule) bool { return s.Key == k.Type }); i >= 0 {
			r = stored[i]
		}
		all = append(all, r)
	}
	for _, r := range stored {
		if r.Own() {
			all = append(all, r)
		}
	}
	return all, nil
}

// Rule returns one rule, or [ErrNotFound].
func (b *Bell) Rule(ctx context.Context, key string) (Rule, error) {
	all, err := b.Rules(ctx)
	if err != nil {
		return Rule{}, err
	}
	for _, r := range all {
		if r.Key == key {
			return r, nil
		}
	}
	return Rule{}, ErrNotFound
}

func readRules(ctx context.Context, q sqlite.Querier) ([]Rule, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT key, type, name, level, enabled, urgent, threshold, minutes, cooldown, channels FROM alert_rule`)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	list, err := sqlite.Collect(rows, func(row *sql.Rows) (Rule, error) {
		var r Rule
		var channels sql.NullString
		err := row.Scan(&r.Key, &r.Type, &r.Name, &r.Level, &r.Enabled, &r.Urgent, &r.Threshold, &r.Minutes, &r.Cooldown, &channels)
		if err == nil && channels.Valid {
			err = json.Unmarshal([]byte(channels.String), &r.Channels)
		}
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	slices.SortFunc(list, func(a, b Rule) int { return cmp.Compare(ownNumber(a.Key), ownNumber(b.Key)) })
	return list, nil
}

// ownNumber orders the operators' own rules as they were made.
func ownNumber(key string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(key, ownPrefix))
	return n
}

// SetRule changes a rule, or makes one of the operators' own when it has no key, in the
// transaction of its audit row, and returns it as it is then. The error may be
// [ErrNotFound] or an [*Error].
func (b *Bell) SetRule(ctx context.Context, tx *sql.Tx, r Rule) (Rule, error) {
	stored, err := readRules(ctx, tx)
	if err != nil {
		return r, err
	}
	if r.Key == "" {
		if len(stored) > maxOwn+len(Kinds()) {
			return r, refuse("there are %d rules already; remove one first", maxOwn)
		}
		last := 0
		for _, s := range stored {
			last = max(last, ownNumber(s.Key))
		}
		r.Key = ownPrefix + strconv.Itoa(last+1)
	} else {
		i := slices.IndexFunc(stored, func(s Rule) bool { return s.Key == r.Key })
		switch kind, ok := KindOf(r.Key); {
		case i >= 0:
			r.Type = stored[i].Type
		case ok && !kind.Own:
			r.Type = kind.Type
		default:
			return r, ErrNotFound
		}
	}
	if r, err = r.check(); err != nil {
		return r, err
	}
	var channels sql.NullString
	if r.Channels != nil {
		text, err := json.Marshal(r.Channels)
		if err != nil {
			return r, err
		}
		channels = sql.NullString{String: string(text), Valid: true}
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO alert_rule (key, type, name, level, enabled, urgent, threshold, minutes, cooldown, channels)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET name = excluded.name, level = excluded.level, enabled = excluded.enabled, urgent = excluded.urgent,
		       threshold = excluded.threshold, minutes = excluded.minutes, cooldown = excluded.cooldown, channels = excluded.channels`,
		r.Key, r.Type, r.Name, r.Level, r.Enabled, r.Urgent, r.Threshold, r.Minutes, r.Cooldown, channels)
	if err != nil {
		return r, fmt.Errorf("write rule: %w", err)
	}
	return r, nil
}

// RemoveRule removes a rule of the operators' own and ends its alerts; one of the
// program becomes again as the program has it. It returns the rule as it was.
func (b *Bell) RemoveRule(ctx context.Context, tx *sql.Tx, key string, now time.Time) (Rule, error) {
	stored, err := readRules(ctx, tx)
	if err != nil {
		return Rule{}, err
	}
	i := slices.IndexFunc(stored, func(s Rule) bool { return s.Key == key })
	if kind, ok := KindOf(key); i < 0 && ok && !kind.Own {
		return kind.Default, nil // it is so already
	}
	if i < 0 {
		return Rule{}, ErrNotFound
	}
	for _, query := range []string{
		`DELETE FROM alert_rule WHERE key = ?`,
		`DELETE FROM alert_seen WHERE rule = ?1 AND ?1 LIKE 'own-%'`,
	} {
		if _, err := tx.ExecContext(ctx, query, key); err != nil {
			return Rule{}, fmt.Errorf("remove rule: %w", err)
		}
	}
	if stored[i].Own() {
		_, err = tx.ExecContext(ctx, `
			UPDATE alert_about SET over_at = ?1 WHERE over_at IS NULL AND alert IN (SELECT id FROM alert WHERE rule = ?2 AND over_at IS NULL)`,
			now.UnixMilli(), key)
		if err == nil {
			_, err = endEmpty(ctx, tx, now, key)
		}
	}
	if err != nil {
		return Rule{}, fmt.Errorf("end alerts of the rule: %w", err)
	}
	return stored[i], nil
}
