package webui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
)

// siren is the golden box's alerts.
type siren struct {
	alerts     []alert.Alert
	rules      []alert.Rule
	channels   []alert.Channel
	deliveries []alert.Delivery
	policy     alert.Policy
	done       []string // what was asked for
	secret     alert.Secret
}

func newSiren() siren {
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	worker := func(address, name, minutes string) alert.About {
		return alert.About{Subject: address + "." + name, Detail: map[string]string{"address": address, "worker": name, "label": "", "minutes": minutes}}
	}
	s := siren{
		policy: alert.Policy{Quiet: true, From: 22 * 60, To: 7 * 60, Language: english},
		alerts: []alert.Alert{
			{
				ID: 44, Rule: alert.WorkerOffline, Type: alert.WorkerOffline, Level: alert.Warning, Lasting: true, RaisedAt: at(14 * time.Minute), Count: 2,
				About: []alert.About{worker(aliceAddress, hostile, "24"), worker(bobAddress, "", "25")},
			},
			{
				ID: 43, Rule: "own-1", Type: alert.HashrateBelow, Name: "Winter", Level: alert.Critical, Lasting: true, RaisedAt: at(3 * time.Hour), OverAt: at(time.Hour), Count: 1,
				About: []alert.About{{Detail: map[string]string{"now": "80.1 TH/s", "limit": "90.0 TH/s"}}},
			},
			{
				ID: 42, Rule: alert.BlockFound, Type: alert.BlockFound, Level: alert.Info, RaisedAt: at(5 * time.Hour), OverAt: at(5 * time.Hour), Count: 1,
				About: []alert.About{{Subject: "h", Detail: map[string]string{"hash": strings.Repeat("0", 64), "height": "924,980", "sats": "314,200,114", "address": aliceAddress, "worker": "bitaxe1", "label": "Kitchen"}}},
			},
			{
				ID: 41, Rule: alert.LedgerFrozen, Type: alert.LedgerFrozen, Level: alert.Critical, Lasting: true, RaisedAt: at(200 * time.Hour), OverAt: at(190 * time.Hour), Count: 1,
				DismissedAt: at(180 * time.Hour), DismissedBy: "admin",
				About: []alert.About{{Detail: map[string]string{"reason": "Payouts are frozen: the sums differ.", "next": "Open Books and wallet on the payouts page."}}},
			},
		},
		channels: []alert.Channel{
			{ID: 42, Kind: alert.Ntfy, Name: "Phone", Enabled: true, PerHour: 20, Signed: true, Sent: at(14 * time.Minute), Target: alert.Target{Server: "https://ntfy.example.org", Topic: "pool"}},
			{ID: 43, Kind: alert.SMTP, Name: hostile, PerHour: 5, Target: alert.Target{Server: "mail.example.org", Port: 465, Security: alert.SecurityTLS, From: "pool@example.org", To: "a@example.org"}},
			{ID: 44, Kind: alert.Webhook, Name: "Home Assistant", Enabled: true, PerHour: 60, Failures: 3, Problem: "The receiver answered 500: " + hostile, Target: alert.Target{Server: "192.168.1.60:8123"}},
			{ID: 45, Kind: alert.Telegram, Name: "Family", Enabled: true, PerHour: 20, Signed: true, Target: alert.Target{Chat: "-100"}},
		},
		deliveries: []alert.Delivery{
			{ID: 3, Channel: 42, Name: "Phone", News: "test", State: "sent", At: at(time.Minute), Done: at(time.Minute), Tries: 1},
			{ID: 2, Channel: 44, Name: "Home Assistant", Alert: 44, Type: alert.WorkerOffline, News: "raised", State: "waiting", At: at(14 * time.Minute), Done: at(time.Minute), Tries: 3, Problem: "The receiver answered 500: " + hostile},
			{ID: 1, Name: "gone", Alert: 41, Type: alert.LedgerFrozen, News: "over", State: "dropped", At: at(190 * time.Hour), Problem: "The channel was removed."},
		},
	}
	for _, k := range alert.Kinds() {
		if !k.Own {
			s.rules = append(s.rules, k.Default)
		}
	}
	s.rules = append(s.rules, alert.Rule{Key: "own-1", Type: alert.HashrateBelow, Name: "Winter", Level: alert.Critical, Enabled: true, Threshold: 90, Minutes: 10, Cooldown: 180, Channels: []int64{42}})
	return s
}

func (s *siren) note(format string, args ...any) error {
	s.done = append(s.done, fmt.Sprintf(format, args...))
	return nil
}

func (s *siren) OpenAlerts(context.Context) (n int, err error) {
	for _, a := range s.alerts {
		if a.DismissedAt.IsZero() {
			n++
		}
	}
	return n, nil
}

func (s *siren) Alerts(_ context.Context, f alert.Filter, limit int) (list []alert.Alert, err error) {
	for _, a := range s.alerts {
		if (!f.Open || a.DismissedAt.IsZero()) && (f.Type == "" || f.Type == a.Type) && (f.Level == "" || f.Level == a.Level) && (f.Before == 0 || a.ID < f.Before) && len(list) < limit {
			list = append(list, a)
		}
	}
	return list, nil
}

func (s *siren) DismissAlert(_ context.Context, id int64, op operator, _ string) error {
	i := slices.IndexFunc(s.alerts, func(a alert.Alert) bool { return a.ID == id && a.DismissedAt.IsZero() })
	if i < 0 {
		return notFound()
	}
	s.alerts[i].DismissedAt, s.alerts[i].DismissedBy = noon, op.Name
	return s.note("dismiss %d", id)
}

func (s *siren) DismissOverAlerts(_ context.Context, upTo int64, _ operator, _ string) error {
	return s.note("dismiss over %d", upTo)
}

func (s *siren) AlertRules(context.Context) ([]alert.Rule, error) { return s.rules, nil }

func (s *siren) SetAlertRule(_ context.Context, r alert.Rule, _ operator, _ string) (string, error) {
	if r.Threshold < 0 {
		return "", refused("The threshold is between 1 and 90.")
	}
	if r.Key == "" {
		r.Key = "own-2"
		s.rules = append(s.rules, r)
	}
	for i := range s.rules {
		if s.rules[i].Key == r.Key {
			s.rules[i] = r
		}
	}
	return r.Key, s.note("rule %s %t %g %d %v", r.Key, r.Enabled, r.Threshold, r.Minutes, r.Channels)
}

func (s *siren) ResetAlertRule(_ context.Context, key string, _ operator, _ string) error {
	return s.note("reset %s", key)
}

func (s *siren) AlertChannels(context.Context) ([]alert.Channel, error) { return s.channels, nil }

func (s *siren) AlertDeliveries(_ context.Context, channel, _ int64, limit int) (list []alert.Delivery, err error) {
	for _, d := range s.deliveries {
		if (channel == 0 || d.Channel == channel) && len(list) < limit {
			list = append(list, d)
		}
	}
	return list, nil
}

func (s *siren) SetAlertChannel(_ context.Context, c alert.Channel, secret alert.Secret, _ operator, _ string) (int64, error) {
	if c.Kind == alert.Ntfy && c.Target.Topic == "" {
		return 0, refused("A topic has at most 64 letters, digits, - and _, and stands in a field of its own.")
	}
	s.secret = secret
	if c.ID == 0 {
		c.ID = 42
	}
	return c.ID, s.note("channel %d %s %s %+v", c.ID, c.Kind, c.Name, c.Target)
}

func (s *siren) RemoveAlertChannel(_ context.Context, id int64, _ operator, _ string) error {
	return s.note("remove %d", id)
}

func (s *siren) TestAlertChannel(_ context.Context, id int64, _ operator, _ string) (string, error) {
	return "", s.note("test %d", id)
}

func (s *siren) AlertPolicy(context.Context) (alert.Policy, error) { return s.policy, nil }

func (s *siren) SetAlertPolicy(_ context.Context, p alert.Policy, _ operator, _ string) error {
	if p.From < 0 || p.To < 0 {
		return refused("Quiet hours begin and end at different times of the day.")
	}
	s.policy = p
	return s.note("policy %+v", p)
}
