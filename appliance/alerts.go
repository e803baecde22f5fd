package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
	"github.com/dmpool/dmpool/pool"
)

// AlertConfig is what alerts need from outside the box.
type AlertConfig struct {
	// Say puts an English sentence of the box into another language; nil: it stays.
	Say      func(language, sentence string) string
	Telegram string // URL of its API; empty: the public one

	byHand bool // of tests: the box looks when it is told to, at what time it is told
}

// newBell makes what raises alerts and has them told.
func (a *Appliance) newBell(ctx context.Context) (*alert.Bell, error) {
	var display displaySettings
	if _, err := a.readSetting(ctx, settingDisplay, &display); err != nil {
		return nil, err
	}
	return alert.New(alert.Config{
		DB:       a.db,
		Box:      func() string { return a.presented().Name },
		Zone:     a.zone,
		Language: display.Language,
		Say:      a.config.Alerts.Say,
		Seal:     a.sealSecret,
		Open:     a.openSecret,
		Changed:  func() { a.events.Publish(pool.Event{Kind: "alert", At: time.Now()}) },
		Telegram: a.config.Alerts.Telegram,
		Logger:   a.log,
	})
}

// presented are the settings that say how the box shows itself. They are read from the
// database, since there may be alerts before they are in force.
func (a *Appliance) presented() pool.Settings {
	s, _, err := a.StoredSettings(context.Background())
	if err != nil {
		return a.Settings()
	}
	return s
}

// sealSecret makes a secret of the box unreadable for who has only its database.
func (a *Appliance) sealSecret(owner string, secret []byte) ([]byte, error) {
	key, err := a.keyToSeal(context.Background())
	if err != nil {
		return nil, err
	}
	return sealFor(key, owner, secret)
}

// openSecret is the way back, or an error.
func (a *Appliance) openSecret(owner string, sealed []byte) ([]byte, error) {
	key, err := sealKey(a.dir.sealKey(a.network), false)
	if err != nil {
		return nil, err
	}
	return unsealFor(key, owner, sealed)
}

// Alerts returns what raises alerts and has them told, for looking. Changes go through
// the methods here, which write them into the audit log.
func (a *Appliance) Alerts() *alert.Bell { return a.alerts }

// DismissAlert takes an alert off the page.
func (a *Appliance) DismissAlert(ctx context.Context, id int64, actor, ip string) error {
	return a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.dismiss", Object: strconv.FormatInt(id, 10), IP: ip},
		func(tx *sql.Tx, _ *AuditEntry) error { return a.alerts.Dismiss(ctx, tx, id, actor) })
}

// DismissOverAlerts takes all alerts off the page that are over, up to an id.
func (a *Appliance) DismissOverAlerts(ctx context.Context, upTo int64, actor, ip string) error {
	return a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.dismiss", Object: "over", IP: ip},
		func(tx *sql.Tx, e *AuditEntry) error {
			n, err := a.alerts.DismissOver(ctx, tx, upTo, actor)
			e.Detail = map[string]string{"alerts": strconv.FormatInt(n, 10)}
			return err
		})
}

// SetAlertRule changes a rule, or makes one when it has no key, and returns its key.
func (a *Appliance) SetAlertRule(ctx context.Context, r alert.Rule, actor, ip string) (key string, err error) {
	err = a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.rule", IP: ip}, func(tx *sql.Tx, e *AuditEntry) error {
		set, err := a.alerts.SetRule(ctx, tx, r)
		if err != nil {
			return err
		}
		key, e.Object, e.Detail = set.Key, set.Key, describeRule(set)
		return nil
	})
	return key, err
}

// ResetAlertRule removes a rule of the operators' own; one of the program becomes again
// as the program has it.
func (a *Appliance) ResetAlertRule(ctx context.Context, key, actor, ip string) error {
	return a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.rule-remove", Object: key, IP: ip},
		func(tx *sql.Tx, e *AuditEntry) error {
			was, err := a.alerts.RemoveRule(ctx, tx, key, time.Now())
			e.Detail = describeRule(was)
			return err
		})
}

func describeRule(r alert.Rule) map[string]string {
	told := "all"
	if r.Channels != nil {
		told = fmt.Sprint(r.Channels)
	}
	return map[string]string{
		"type": r.Type, "name": r.Name, "level": string(r.Level), "enabled": strconv.FormatBool(r.Enabled), "urgent": strconv.FormatBool(r.Urgent),
		"threshold": strconv.FormatFloat(r.Threshold, 'f', -1, 64), "minutes": strconv.Itoa(r.Minutes), "cooldown": strconv.Itoa(r.Cooldown), "channels": told,
	}
}

// SetAlertChannel changes a channel, or makes one when it has no id, and returns its id.
// What it is told goes out of the box, so the caller has made sure that the operator is
// who they say.
func (a *Appliance) SetAlertChannel(ctx context.Context, c alert.Channel, secret alert.Secret, actor, ip string) (id int64, err error) {
	err = a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.channel", IP: ip}, func(tx *sql.Tx, e *AuditEntry) error {
		set, err := a.alerts.SetChannel(ctx, tx, c, secret)
		if err != nil {
			return err
		}
		id, e.Object, e.Detail = set.ID, set.Name, describeChannel(set)
		return nil
	})
	return id, err
}

// RemoveAlertChannel removes a channel and what it knows.
func (a *Appliance) RemoveAlertChannel(ctx context.Context, id int64, actor, ip string) error {
	return a.changeAlerts(ctx, AuditEntry{Actor: actor, Action: "alert.channel-remove", IP: ip}, func(tx *sql.Tx, e *AuditEntry) error {
		was, err := a.alerts.RemoveChannel(ctx, tx, id)
		e.Object, e.Detail = was.Name, describeChannel(was)
		return err
	})
}

// describeChannel says where a channel leads, without any secret.
func describeChannel(c alert.Channel) map[string]string {
	d := map[string]string{"kind": c.Kind, "enabled": strconv.FormatBool(c.Enabled), "per_hour": strconv.Itoa(c.PerHour)}
	for name, value := range map[string]string{"server": c.Target.Server, "topic": c.Target.Topic, "chat": c.Target.Chat, "to": c.Target.To} {
		if value != "" {
			d[name] = value
		}
	}
	return d
}

// TestAlertChannel sends a message to a channel at once and returns why it has not
// arrived, a sentence; empty when it has.
func (a *Appliance) TestAlertChannel(ctx context.Context, id int64, actor, ip string) (problem string, err error) {
	c, err := a.alerts.Channel(ctx, id)
	if err != nil {
		return "", err
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "alert.test", Object: c.Name, Result: "ok", IP: ip}); err != nil {
		return "", err
	}
	return a.alerts.Test(ctx, id)
}

// SetAlertPolicy changes how alerts are told. Since that is what leaves the box, the
// caller has made sure that the operator is who they say.
func (a *Appliance) SetAlertPolicy(ctx context.Context, p alert.Policy, actor, ip string) error {
	return a.changeAlerts(ctx, AuditEntry{
		Actor: actor, Action: "alert.policy", IP: ip,
		Detail: map[string]string{
			"quiet": strconv.FormatBool(p.Quiet), "from": clockOf(p.From), "to": clockOf(p.To), "urgent_waits": strconv.FormatBool(p.UrgentWaits),
			"full_addresses": strconv.FormatBool(p.FullAddresses), "language": p.Language,
		},
	}, func(tx *sql.Tx, _ *AuditEntry) error { return a.alerts.SetPolicy(ctx, tx, p) })
}

// clockOf writes minutes after midnight as a time of the day.
func clockOf(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// changeAlerts makes a change together with its audit row, which change may complete.
func (a *Appliance) changeAlerts(ctx context.Context, e AuditEntry, change func(tx *sql.Tx, e *AuditEntry) error) error {
	e.At, e.Result = time.Now(), "ok"
	err := a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := change(tx, &e); err != nil {
			return err
		}
		return writeAudit(ctx, tx, e)
	})
	if err != nil {
		return fmt.Errorf("change alerts: %w", err)
	}
	a.alerts.Refresh()
	return nil
}
