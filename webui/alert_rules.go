package webui

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/appliance/alert"
)

// ruleLine is a rule in words.
type ruleLine struct {
	alert.Rule
	Kind  alert.Kind
	Title string // what it is called
	About string // what it watches for
}

// Limit is the threshold as its field has it.
func (l ruleLine) Limit() string { return strconv.FormatFloat(l.Threshold, 'f', -1, 64) }

// Least and Most bound it.
func (l ruleLine) Least() string { return strconv.FormatFloat(l.Kind.Least, 'f', -1, 64) }

// Most is the other bound.
func (l ruleLine) Most() string { return strconv.FormatFloat(l.Kind.Most, 'f', -1, 64) }

// rulesView fills templates/alert_rules.html.
type rulesView struct {
	Groups []ruleGroup
	Types  []ruleName // of which a rule can be made
	Done   string
}

type ruleGroup struct {
	Name  string
	Rules []ruleLine
}

func (s *site) alertRules(r *http.Request, _ caller) (any, error) {
	rules, err := s.box.AlertRules(r.Context())
	if err != nil {
		return nil, err
	}
	v := rulesView{Types: s.ruleNames(r), Done: r.URL.Query().Get("done")}
	for _, rule := range rules {
		line, ok := s.ruleInWords(r, rule)
		if !ok {
			continue
		}
		i := slices.IndexFunc(v.Groups, func(g ruleGroup) bool { return g.Name == line.Kind.Group })
		if i < 0 {
			i = len(v.Groups)
			v.Groups = append(v.Groups, ruleGroup{Name: line.Kind.Group})
		}
		v.Groups[i].Rules = append(v.Groups[i].Rules, line)
	}
	return v, nil
}

func (s *site) ruleInWords(r *http.Request, rule alert.Rule) (ruleLine, bool) {
	kind, ok := alert.KindOf(rule.Type)
	l := ruleLine{Rule: rule, Kind: kind}
	l.Title, l.About = s.alerts.Rule(s.lookOf(r).words.Lang, rule.Type)
	if rule.Name != "" {
		l.Title = rule.Name
	}
	return l, ok
}

// ruleView fills templates/alert_rule.html.
type ruleView struct {
	ruleLine
	Channels []ruleChannel
	Problem  string // a sentence
}

// ruleChannel is a channel that the rule may tell.
type ruleChannel struct {
	alert.Channel
	Told bool
}

// New tells whether the rule has yet to be made.
func (v ruleView) New() bool { return v.Key == "" }

func (s *site) alertRule(r *http.Request, _ caller) (any, error) { return s.findAlertRule(r) }

// findAlertRule is the rule that the URL names: its key, or "new" with a type.
func (s *site) findAlertRule(r *http.Request) (v ruleView, err error) {
	var rule alert.Rule
	if key := r.PathValue("key"); key == "new" {
		kind, ok := alert.KindOf(r.FormValue("type"))
		if !ok {
			return v, notFound()
		}
		rule = kind.Default
		rule.Key, rule.Enabled = "", true
	} else {
		all, err := s.box.AlertRules(r.Context())
		if err != nil {
			return v, err
		}
		i := slices.IndexFunc(all, func(one alert.Rule) bool { return one.Key == key })
		if i < 0 {
			return v, notFound()
		}
		rule = all[i]
	}
	line, ok := s.ruleInWords(r, rule)
	if !ok {
		return v, notFound()
	}
	v.ruleLine = line
	channels, err := s.box.AlertChannels(r.Context())
	for _, c := range channels {
		v.Channels = append(v.Channels, ruleChannel{c, rule.Channels == nil || slices.Contains(rule.Channels, c.ID)})
	}
	return v, err
}

// setAlertRule changes a rule or makes one. It sends nothing to anybody whom the
// operators have not named with their password, so it asks for none.
func (s *site) setAlertRule(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findAlertRule(r)
	if err != nil {
		return err
	}
	field := func(name string) string { return strings.TrimSpace(cut(r.PostFormValue(name), 300)) }
	rule := &v.Rule
	rule.Name, rule.Level = field("name"), alert.Level(field("level"))
	rule.Enabled, rule.Urgent = field("enabled") != "", field("urgent") != ""
	if v.Kind.Unit != "" {
		rule.Threshold = numberIn(field("threshold"))
	}
	if v.Kind.Minutes {
		rule.Minutes = int(numberIn(field("minutes")))
	}
	if v.Kind.Again {
		rule.Cooldown = int(numberIn(field("cooldown")))
	}
	rule.Channels = nil
	all := true
	told := []int64{}
	for i, c := range v.Channels {
		on := slices.Contains(r.PostForm["channel"], strconv.FormatInt(c.ID, 10))
		v.Channels[i].Told = on
		all = all && on
		if on {
			told = append(told, c.ID)
		}
	}
	if !all {
		rule.Channels = told
	}
	_, err = s.box.SetAlertRule(r.Context(), *rule, who.Operator, who.IP.String())
	if detail, ok := detailOf(err); ok {
		v.Problem = detail
		return s.again(w, r, who, "alert_rule", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/rules?done=set", http.StatusSeeOther)
	return nil
}

// numberIn reads a number of a form; what is none is -1, which no rule takes.
func numberIn(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return n
}

// resetAlertRule removes a rule of the operators' own, or has one of the program as it
// was.
func (s *site) resetAlertRule(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.box.ResetAlertRule(r.Context(), r.PathValue("key"), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/rules?done=reset", http.StatusSeeOther)
	return nil
}
