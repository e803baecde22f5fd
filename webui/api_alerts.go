package webui

import (
	"net/http"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
)

// alertJSON is an alert. It is told in English, as everything in the API.
type alertJSON struct {
	ID          int64               `json:"id"`
	Rule        string              `json:"rule"` // key
	Type        string              `json:"type"`
	Level       alert.Level         `json:"level"`
	Title       string              `json:"title"`
	Lines       []string            `json:"lines"`
	NextStep    *string             `json:"next_step"`
	Lasting     bool                `json:"lasting"`
	RaisedAt    time.Time           `json:"raised_at"`
	OverAt      *time.Time          `json:"over_at"`
	DismissedAt *time.Time          `json:"dismissed_at"`
	DismissedBy *string             `json:"dismissed_by"`
	Count       int                 `json:"count"`
	About       []map[string]string `json:"about"`
}

// apiAlertsMost is how many alerts a question can reach back: as many as are kept.
const apiAlertsMost = 2500

func (s *site) apiAlerts(r *http.Request) (any, error) {
	q := r.URL.Query()
	f := alert.Filter{Open: q.Get("open") == "true", Type: cut(q.Get("type"), 40), Level: alert.Level(cut(q.Get("level"), 20))}
	list, err := s.box.Alerts(r.Context(), f, apiAlertsMost)
	if err != nil {
		return nil, err
	}
	return paged(r, list, s.alertOf)
}

func (s *site) alertOf(a alert.Alert) alertJSON {
	told := s.alerts.Tell(english, a, func(said string) string { return said })
	v := alertJSON{
		ID: a.ID, Rule: a.Rule, Type: a.Type, Level: a.Level, Title: told.Title, Lines: told.Lines, NextStep: orNull(told.Next), Lasting: a.Lasting,
		RaisedAt: a.RaisedAt.UTC(), OverAt: momentOf(a.OverAt), DismissedAt: momentOf(a.DismissedAt), DismissedBy: orNull(a.DismissedBy), Count: a.Count,
		About: []map[string]string{},
	}
	if v.Lines == nil {
		v.Lines = []string{}
	}
	for _, about := range a.About {
		v.About = append(v.About, about.Detail)
	}
	return v
}

// momentOf is a time that is null when there is none.
func momentOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *site) doDismissAlert(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	id, err := idOf(r)
	if err != nil {
		return 0, nil, err
	}
	if err := s.box.DismissAlert(r.Context(), id, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, struct {
		ID        int64 `json:"id"`
		Dismissed bool  `json:"dismissed"`
	}{id, true}, nil
}

// alertRuleJSON is a rule, in the names of the earlier project where it had one.
type alertRuleJSON struct {
	Key       string `json:"key"`
	Name      string `json:"name"`
	Own       bool   `json:"own"` // the operators have made it
	Condition struct {
		Type      string   `json:"type"`
		Threshold *float64 `json:"threshold"` // in the unit; null: the type has none
		Unit      *string  `json:"unit"`
		Minutes   *int     `json:"duration_minutes"` // null: the type has none
	} `json:"condition"`
	Level    alert.Level `json:"level"`
	Enabled  bool        `json:"enabled"`
	Urgent   bool        `json:"urgent"`
	Cooldown int         `json:"cooldown_minutes"`
	Channels []int64     `json:"channels"` // null: all
}

func (s *site) ruleOf(r alert.Rule) alertRuleJSON {
	kind, _ := alert.KindOf(r.Type)
	v := alertRuleJSON{
		Key: r.Key, Name: r.Name, Own: r.Own(), Level: r.Level, Enabled: r.Enabled, Urgent: r.Urgent, Cooldown: r.Cooldown, Channels: r.Channels,
	}
	if v.Name == "" {
		v.Name, _ = s.alerts.Rule(english, r.Type)
	}
	v.Condition.Type = r.Type
	if kind.Unit != "" {
		v.Condition.Threshold, v.Condition.Unit = &r.Threshold, &kind.Unit
	}
	if kind.Minutes {
		v.Condition.Minutes = &r.Minutes
	}
	return v
}

func (s *site) apiAlertRules(r *http.Request) (any, error) {
	rules, err := s.box.AlertRules(r.Context())
	if err != nil {
		return nil, err
	}
	return paged(r, rules, s.ruleOf)
}

// ruleCommand is a rule as a script asks for it; what is left out stays as it is, or as
// the program has it.
type ruleCommand struct {
	Name      *string `json:"name"`
	Condition struct {
		Type      string   `json:"type"`
		Threshold *float64 `json:"threshold"`
		Minutes   *int     `json:"duration_minutes"`
	} `json:"condition"`
	Level    *alert.Level `json:"level"`
	Enabled  *bool        `json:"enabled"`
	Urgent   *bool        `json:"urgent"`
	Cooldown *int         `json:"cooldown_minutes"`
	Channels *[]int64     `json:"channels"`
}

// change lays what was asked for over a rule.
func (c ruleCommand) change(r alert.Rule) alert.Rule {
	set(&r.Name, c.Name)
	set(&r.Threshold, c.Condition.Threshold)
	set(&r.Minutes, c.Condition.Minutes)
	set(&r.Level, c.Level)
	set(&r.Enabled, c.Enabled)
	set(&r.Urgent, c.Urgent)
	set(&r.Cooldown, c.Cooldown)
	set(&r.Channels, c.Channels)
	return r
}

// set replaces a value if there is another.
func set[T any](at, by *T) {
	if by != nil {
		*at = *by
	}
}

// doMakeAlertRule makes a rule of the operators' own.
func (s *site) doMakeAlertRule(r *http.Request, who caller, c command) (int, any, error) {
	var in ruleCommand
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	kind, ok := alert.KindOf(in.Condition.Type)
	if !ok {
		return 0, nil, refused("There is no such type of rules; GET /api/alerts/rules names those that there are.")
	}
	rule := kind.Default
	rule.Key, rule.Enabled = "", true
	return s.storeRule(r, who, in.change(rule), http.StatusCreated)
}

// doSetAlertRule changes a rule.
func (s *site) doSetAlertRule(r *http.Request, who caller, c command) (int, any, error) {
	var in ruleCommand
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	rule, err := s.ruleNamed(r, r.PathValue("key"))
	if err != nil {
		return 0, nil, err
	}
	if in.Condition.Type != "" && in.Condition.Type != rule.Type {
		return 0, nil, refused("The type of a rule stays as it is.")
	}
	return s.storeRule(r, who, in.change(rule), http.StatusOK)
}

func (s *site) storeRule(r *http.Request, who caller, rule alert.Rule, status int) (int, any, error) {
	key, err := s.box.SetAlertRule(r.Context(), rule, who.Operator, who.IP.String())
	if err != nil {
		return 0, nil, err
	}
	if rule, err = s.ruleNamed(r, key); err != nil {
		return 0, nil, err
	}
	return status, s.ruleOf(rule), nil
}

func (s *site) ruleNamed(r *http.Request, key string) (alert.Rule, error) {
	rules, err := s.box.AlertRules(r.Context())
	if err != nil {
		return alert.Rule{}, err
	}
	i := slices.IndexFunc(rules, func(one alert.Rule) bool { return one.Key == key })
	if i < 0 {
		return alert.Rule{}, notFound()
	}
	return rules[i], nil
}

// doResetAlertRule removes a rule of the operators' own, or has one of the program as it
// was.
func (s *site) doResetAlertRule(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	key := r.PathValue("key")
	if err := s.box.ResetAlertRule(r.Context(), key, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, struct {
		Key     string `json:"key"`
		Removed bool   `json:"removed"`
	}{key, true}, nil
}

// alertChannelJSON is a channel without its target: that is told on its page only.
type alertChannelJSON struct {
	ID       int64      `json:"id"`
	Kind     string     `json:"kind"`
	Name     string     `json:"name"`
	Enabled  bool       `json:"enabled"`
	PerHour  int        `json:"per_hour"`
	Failures int        `json:"failures"`
	SentAt   *time.Time `json:"sent_at"`
	Problem  *string    `json:"problem"`
}

func (s *site) apiAlertChannels(r *http.Request) (any, error) {
	list, err := s.box.AlertChannels(r.Context())
	if err != nil {
		return nil, err
	}
	return paged(r, list, func(c alert.Channel) alertChannelJSON {
		return alertChannelJSON{c.ID, c.Kind, c.Name, c.Enabled, c.PerHour, c.Failures, momentOf(c.Sent), orNull(c.Problem)}
	})
}

// alertDeliveryJSON is a line of the log of deliveries.
type alertDeliveryJSON struct {
	ID      int64      `json:"id"`
	Channel string     `json:"channel"` // its name
	Alert   *int64     `json:"alert"`   // null: a test
	News    string     `json:"news"`
	State   string     `json:"state"`
	At      time.Time  `json:"at"`
	Tries   int        `json:"tries"`
	TriedAt *time.Time `json:"tried_at"`
	Problem *string    `json:"problem"`
}

func (s *site) apiAlertDeliveries(r *http.Request) (any, error) {
	list, err := s.box.AlertDeliveries(r.Context(), 0, 0, apiAlertsMost)
	if err != nil {
		return nil, err
	}
	return paged(r, list, func(d alert.Delivery) alertDeliveryJSON {
		v := alertDeliveryJSON{
			ID: d.ID, Channel: d.Name, News: d.News, State: d.State, At: d.At.UTC(), Tries: d.Tries, TriedAt: momentOf(d.Done), Problem: orNull(d.Problem),
		}
		if d.Alert != 0 {
			v.Alert = &d.Alert
		}
		return v
	})
}
