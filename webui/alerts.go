package webui

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dmpool/dmpool/appliance/alert"
)

// alarm is what the pages of alerts need of the box. They look at the things of package
// alert themselves, and put them into words with its texts.
type alarm interface {
	OpenAlerts(ctx context.Context) (int, error)
	Alerts(ctx context.Context, f alert.Filter, limit int) ([]alert.Alert, error)
	DismissAlert(ctx context.Context, id int64, op operator, ip string) error
	DismissOverAlerts(ctx context.Context, upTo int64, op operator, ip string) error

	AlertRules(ctx context.Context) ([]alert.Rule, error)
	SetAlertRule(ctx context.Context, r alert.Rule, op operator, ip string) (key string, err error)
	ResetAlertRule(ctx context.Context, key string, op operator, ip string) error

	AlertChannels(ctx context.Context) ([]alert.Channel, error)
	AlertDeliveries(ctx context.Context, channel, before int64, limit int) ([]alert.Delivery, error)
	SetAlertChannel(ctx context.Context, c alert.Channel, s alert.Secret, op operator, ip string) (id int64, err error)
	RemoveAlertChannel(ctx context.Context, id int64, op operator, ip string) error
	TestAlertChannel(ctx context.Context, id int64, op operator, ip string) (problem string, err error)

	AlertPolicy(ctx context.Context) (alert.Policy, error)
	SetAlertPolicy(ctx context.Context, p alert.Policy, op operator, ip string) error
}

const (
	// openShown is how many open alerts the page shows, historyPage how many of the past.
	openShown   = 50
	historyPage = 30
)

// alertLine is an alert in words.
type alertLine struct {
	alert.Alert
	alert.Told
}

// Dismissed tells whether it has left the page.
func (l alertLine) Dismissed() bool { return !l.DismissedAt.IsZero() }

// State is how it is, for its badge.
func (l alertLine) State() string {
	switch {
	case !l.Lasting:
		return string(l.Level)
	case l.Alert.Over():
		return "over"
	}
	return string(l.Level)
}

// Link leads to where there is more to see.
func (l alertLine) Link() string {
	subject := ""
	detail := map[string]string{}
	if l.Count == 1 && len(l.About) == 1 {
		subject, detail = l.About[0].Subject, l.About[0].Detail
	}
	switch l.Type {
	case alert.WorkerOffline, alert.RejectRate, alert.BestShare:
		if detail["address"] != "" {
			return workerPath(detail["address"], detail["worker"])
		}
		return "/workers"
	case alert.HashrateDrop, alert.HashrateBelow, alert.HashrateAbove, alert.WorkerCountBelow:
		return "/workers"
	case alert.BlockFound, alert.BlockMature, alert.BlockOrphaned, alert.BlockRejected, alert.NoBlock:
		if hash := detail["hash"]; hash != "" {
			return "/blocks/" + url.PathEscape(hash)
		}
		return "/blocks"
	case alert.PayoutApprove, alert.PayoutStuck, alert.PayoutConfirmed:
		if subject != "" {
			return "/payouts/" + url.PathEscape(subject)
		}
		return "/payouts"
	case alert.LedgerFrozen:
		return "/books"
	case alert.DiskLow:
		return "/monitoring"
	case alert.FormatNew:
		return "/about"
	case alert.BackupOld:
		return "/backup"
	}
	return "/node"
}

// alertsView fills templates/alerts.html.
type alertsView struct {
	Open    []alertLine
	More    int   // open ones that are not shown
	OverTo  int64 // up to this one there are open ones that are over; 0: none is
	History []alertLine
	Types   []ruleName
	Type    string // filter
	Level   string // filter
	Older   int64  // the page before this one; 0: none
	Done    bool
}

// ruleName is a type of rules with its words.
type ruleName struct{ Type, Name, About string }

// OlderQuery leads to older alerts.
func (v alertsView) OlderQuery() string {
	q := url.Values{"before": {strconv.FormatInt(v.Older, 10)}}
	if v.Type != "" {
		q.Set("type", v.Type)
	}
	if v.Level != "" {
		q.Set("level", v.Level)
	}
	return "?" + q.Encode()
}

func (s *site) alertsPage(r *http.Request, _ caller) (any, error) {
	q := r.URL.Query()
	v := alertsView{Types: s.ruleNames(r), Type: cut(q.Get("type"), 40), Level: cut(q.Get("level"), 20), Done: q.Get("done") != ""}
	open, err := s.box.Alerts(r.Context(), alert.Filter{Open: true}, openShown)
	if err != nil {
		return nil, err
	}
	all, err := s.box.OpenAlerts(r.Context())
	if err != nil {
		return nil, err
	}
	v.Open, v.More = s.inWords(r, open), max(0, all-len(open))
	for _, a := range open {
		if a.Over() {
			v.OverTo = max(v.OverTo, a.ID)
		}
	}
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // what is no number is the first page
	past, err := s.box.Alerts(r.Context(), alert.Filter{Type: v.Type, Level: alert.Level(v.Level), Before: before}, historyPage+1)
	if err != nil {
		return nil, err
	}
	if len(past) > historyPage {
		past = past[:historyPage]
		v.Older = past[historyPage-1].ID
	}
	v.History = s.inWords(r, past)
	return v, nil
}

// inWords puts alerts into the visitor's language.
func (s *site) inWords(r *http.Request, list []alert.Alert) (lines []alertLine) {
	w := s.lookOf(r).words
	for _, a := range list {
		lines = append(lines, alertLine{a, s.alerts.Tell(w.Lang, a, w.sayText)})
	}
	return lines
}

// ruleNames are all types of rules in the visitor's language.
func (s *site) ruleNames(r *http.Request) (list []ruleName) {
	w := s.lookOf(r).words
	for _, k := range alert.Kinds() {
		name, about := s.alerts.Rule(w.Lang, k.Type)
		list = append(list, ruleName{k.Type, name, about})
	}
	return list
}

// dismissAlert takes one alert off the page, or all that are over.
func (s *site) dismissAlert(w http.ResponseWriter, r *http.Request, who caller) error {
	upTo, id := r.PostFormValue("over_to"), r.PostFormValue("id")
	dismiss, text := s.box.DismissAlert, id
	if upTo != "" {
		dismiss, text = s.box.DismissOverAlerts, upTo
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return notFound()
	}
	if err := dismiss(r.Context(), n, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts?done=yes", http.StatusSeeOther)
	return nil
}
