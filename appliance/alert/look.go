package alert

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Look takes in how everything is: it raises the alerts that follow, ends those that are
// over, and writes both down together with the messages about them.
func (b *Bell) Look(ctx context.Context, s Snapshot) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	rules, err := b.Rules(ctx)
	if err != nil {
		return err
	}
	if !b.loaded {
		if err := b.load(ctx, rules); err != nil {
			return err
		}
	}
	outcomes := make([]outcome, len(rules))
	news := false
	for i, r := range rules {
		kind, ok := KindOf(r.Type)
		if !ok {
			continue // of a newer version, that was here before
		}
		list, known := kind.judge(r, s)
		if b.watches[r.Key] == nil {
			b.watches[r.Key] = newWatch()
		}
		outcomes[i] = b.watches[r.Key].look(s.At, r, kind, list, known)
		news = news || !outcomes[i].empty()
	}
	if !news {
		return nil
	}
	err = b.db.Update(ctx, func(tx *sql.Tx) error {
		for i, r := range rules {
			if err := b.write(ctx, tx, s.At, r, outcomes[i]); err != nil {
				return fmt.Errorf("write alerts of %s: %w", r.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		b.loaded = false // what was noticed is not written down: it is noticed again
		return err
	}
	b.wake()
	b.config.Changed()
	return nil
}

// write stores what follows from a look at one rule.
func (b *Bell) write(ctx context.Context, tx *sql.Tx, now time.Time, r Rule, o outcome) error {
	if o.first {
		if err := see(ctx, tx, r.Key, ""); err != nil {
			return err
		}
	}
	for _, subject := range o.seen {
		if err := see(ctx, tx, r.Key, subject); err != nil {
			return err
		}
	}
	if len(o.over) > 0 {
		if err := b.writeOver(ctx, tx, now, r, o.over); err != nil {
			return err
		}
	}
	if len(o.raise) > 0 {
		return b.writeRaised(ctx, tx, now, r, o.raise)
	}
	return nil
}

func see(ctx context.Context, tx *sql.Tx, rule, subject string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alert_seen (rule, subject) VALUES (?, ?) ON CONFLICT DO NOTHING`, rule, subject)
	return err
}

// writeRaised stores one alert about all that is raised.
func (b *Bell) writeRaised(ctx context.Context, tx *sql.Tx, now time.Time, r Rule, list []Condition) error {
	kind, _ := KindOf(r.Type)
	over := sql.NullInt64{Int64: now.UnixMilli(), Valid: !kind.Lasting}
	var id int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO alert (rule, type, name, level, lasting, raised_at, over_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		r.Key, r.Type, r.Name, r.Level, kind.Lasting, now.UnixMilli(), over).Scan(&id)
	if err != nil {
		return err
	}
	for _, c := range list {
		detail, err := json.Marshal(c.Detail)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO alert_about (alert, subject, detail, over_at) VALUES (?, ?, ?, ?)`, id, c.Subject, string(detail), over)
		if err != nil {
			return err
		}
		if !kind.Lasting {
			if err := see(ctx, tx, r.Key, c.Subject); err != nil {
				return err
			}
		}
	}
	b.log.Info("Alert", "rule", r.Key, "level", r.Level, "alert", id, "about", len(list))
	return b.enqueue(ctx, tx, now, r, id, newsRaised)
}

// writeOver ends what the subjects were raised for, and the alerts of which nothing is
// left.
func (b *Bell) writeOver(ctx context.Context, tx *sql.Tx, now time.Time, r Rule, subjects []string) error {
	kind, _ := KindOf(r.Type)
	for _, subject := range subjects {
		_, err := tx.ExecContext(ctx, `
			UPDATE alert_about SET over_at = ?
			 WHERE subject = ? AND over_at IS NULL AND alert IN (SELECT id FROM alert WHERE rule = ? AND over_at IS NULL)`,
			now.UnixMilli(), subject, r.Key)
		if err != nil {
			return err
		}
	}
	ended, err := endEmpty(ctx, tx, now, r.Key)
	if err != nil || !kind.Tells || !r.Enabled {
		return err
	}
	for _, id := range ended {
		if err := b.enqueue(ctx, tx, now, r, id, newsOver); err != nil {
			return err
		}
	}
	return nil
}

// endEmpty ends the alerts of a rule of which nothing is left, and returns them.
func endEmpty(ctx context.Context, tx *sql.Tx, now time.Time, rule string) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, `
		UPDATE alert SET over_at = ?
		 WHERE rule = ? AND over_at IS NULL AND NOT EXISTS (SELECT 1 FROM alert_about o WHERE o.alert = alert.id AND o.over_at IS NULL)
		RETURNING id`, now.UnixMilli(), rule)
	if err != nil {
		return nil, err
	}
	return sqlite.Collect(rows, func(r *sql.Rows) (id int64, err error) { return id, r.Scan(&id) })
}

// enqueue leaves news of an alert for every channel that the rule tells.
func (b *Bell) enqueue(ctx context.Context, tx *sql.Tx, now time.Time, r Rule, alert int64, news string) error {
	channels, err := readChannels(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if !c.Enabled || !r.tells(c.ID) {
			continue
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO alert_delivery (channel, name, alert, news, urgent, at, state) VALUES (?, ?, ?, ?, ?, ?, 'waiting')`,
			c.ID, c.Name, alert, news, r.Urgent, now.UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}

// load puts what has outlasted a restart into the watches.
func (b *Bell) load(ctx context.Context, rules []Rule) error {
	fresh := map[string]*watch{}
	for _, r := range rules {
		fresh[r.Key] = newWatch()
		if old := b.watches[r.Key]; old != nil { // since when something holds is nowhere else
			fresh[r.Key].waiting, fresh[r.Key].away = old.waiting, old.away
		}
	}
	err := b.each(ctx, `
		SELECT a.rule, o.subject, a.raised_at, o.over_at IS NULL AND a.over_at IS NULL FROM alert_about o JOIN alert a ON a.id = o.alert
		 WHERE a.lasting = 1 AND (a.over_at IS NULL OR a.raised_at > ?) ORDER BY a.id`,
		func(rows *sql.Rows) error {
			var rule, subject string
			var at int64
			var open bool
			if err := rows.Scan(&rule, &subject, &at, &open); err != nil {
				return err
			}
			if w := fresh[rule]; w != nil {
				w.told[subject] = time.UnixMilli(at)
				if open {
					w.raised[subject] = time.UnixMilli(at)
				}
			}
			return nil
		}, b.now().Add(-maxMinutes*time.Minute).UnixMilli())
	if err != nil {
		return err
	}
	err = b.each(ctx, `SELECT rule, MAX(raised_at) FROM alert GROUP BY rule`, func(rows *sql.Rows) error {
		var rule string
		var at int64
		if err := rows.Scan(&rule, &at); err != nil {
			return err
		}
		if w := fresh[rule]; w != nil {
			w.last = time.UnixMilli(at)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.each(ctx, `SELECT rule, subject FROM alert_seen`, func(rows *sql.Rows) error {
		var rule, subject string
		if err := rows.Scan(&rule, &subject); err != nil {
			return err
		}
		if w := fresh[rule]; w != nil {
			w.begun = w.begun || subject == ""
			w.seen[subject] = true
		}
		return nil
	})
	if err == nil {
		b.watches, b.loaded = fresh, true
	}
	return err
}

// each calls a function with every row of a query.
func (b *Bell) each(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := b.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (struct{}, error) { return struct{}{}, scan(r) })
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	return nil
}
