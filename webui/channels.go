package webui

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/appliance/alert"
)

// deliveriesShown is how many lines of the log of deliveries a page has.
const deliveriesShown = 50

// channelsView fills templates/channels.html.
type channelsView struct {
	Channels   []alert.Channel
	Kinds      []string
	Policy     alert.Policy
	Languages  []language
	Deliveries []deliveryLine
	Done       string

	Wrong   bool   // the password is
	Problem string // what else is wrong with the policy, a sentence
}

// deliveryLine is a line of the log, with what it was about in words.
type deliveryLine struct {
	alert.Delivery
	Title string
}

// From and To are the quiet hours as an input of the type time has them.
func (v channelsView) From() string { return timeOfDay(v.Policy.From) }

// To is when they end.
func (v channelsView) To() string { return timeOfDay(v.Policy.To) }

func timeOfDay(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// minutesOf reads a time of the day; -1 when it is none.
func minutesOf(text string) int {
	hour, minute, ok := strings.Cut(text, ":")
	h, err1 := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if !ok || err1 != nil || err2 != nil || h < 0 || h > 23 || m < 0 || m > 59 {
		return -1
	}
	return h*60 + m
}

func (s *site) channels(r *http.Request, _ caller) (any, error) { return s.listChannels(r) }

func (s *site) listChannels(r *http.Request) (v channelsView, err error) {
	v = channelsView{Kinds: alert.ChannelKinds(), Languages: languages(), Done: r.URL.Query().Get("done")}
	if v.Channels, err = s.box.AlertChannels(r.Context()); err != nil {
		return v, err
	}
	if v.Policy, err = s.box.AlertPolicy(r.Context()); err != nil {
		return v, err
	}
	log, err := s.box.AlertDeliveries(r.Context(), 0, 0, deliveriesShown)
	if err != nil {
		return v, err
	}
	w := s.lookOf(r).words
	for _, d := range log {
		line := deliveryLine{Delivery: d, Title: d.Rule}
		if d.Rule == "" && d.Type != "" {
			line.Title, _ = s.alerts.Rule(w.Lang, d.Type)
		}
		v.Deliveries = append(v.Deliveries, line)
	}
	return v, nil
}

// setPolicy changes how alerts are told, for who proves to be there: it decides what
// leaves the box.
func (s *site) setPolicy(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.listChannels(r)
	if err != nil {
		return err
	}
	v.Policy = alert.Policy{
		Quiet: r.PostFormValue("quiet") != "", From: minutesOf(r.PostFormValue("from")), To: minutesOf(r.PostFormValue("to")),
		UrgentWaits: r.PostFormValue("urgent_waits") != "", FullAddresses: r.PostFormValue("full_addresses") != "",
		Language: cut(r.PostFormValue("language"), 20),
	}
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	v.Wrong = !right
	if right {
		err = s.box.SetAlertPolicy(r.Context(), v.Policy, who.Operator, who.IP.String())
		v.Problem, _ = detailOf(err)
	}
	if v.Wrong || v.Problem != "" {
		return s.again(w, r, who, "channels", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/channels?done=policy", http.StatusSeeOther)
	return nil
}

// channelView fills templates/channel.html.
type channelView struct {
	alert.Channel

	Typed   map[string]string // what a webhook's form cannot show again is not in here
	Wrong   bool              // the password is
	Problem string            // what else is wrong, a sentence
	Done    string
	Tested  *alert.Delivery // the newest test
}

// New tells whether the channel has yet to be made.
func (v channelView) New() bool { return v.ID == 0 }

// Path is where its forms lead.
func (v channelView) Path() string {
	if v.New() {
		return "/alerts/channels/new"
	}
	return "/alerts/channels/" + strconv.FormatInt(v.ID, 10)
}

func (s *site) channel(r *http.Request, _ caller) (any, error) { return s.findChannel(r) }

// findChannel is the channel that the URL names: a number, or "new" with a kind.
func (s *site) findChannel(r *http.Request) (v channelView, err error) {
	v.Done = r.URL.Query().Get("done")
	if r.PathValue("id") == "new" {
		v.Channel = alert.Channel{Kind: r.FormValue("kind"), Enabled: true, PerHour: 20}
		v.Target.Port, v.Target.Security = 587, alert.SecurityStartTLS
		if !slices.Contains(alert.ChannelKinds(), v.Kind) {
			return v, notFound()
		}
		return v, nil
	}
	id, err := idOf(r)
	if err != nil {
		return v, err
	}
	all, err := s.box.AlertChannels(r.Context())
	if err != nil {
		return v, err
	}
	i := slices.IndexFunc(all, func(c alert.Channel) bool { return c.ID == id })
	if i < 0 {
		return v, notFound()
	}
	v.Channel = all[i]
	log, err := s.box.AlertDeliveries(r.Context(), id, 0, 1)
	if err == nil && v.Done == "test" && len(log) > 0 && log[0].News == "test" {
		v.Tested = &log[0]
	}
	return v, err
}

// setChannel changes a channel or makes one, for who proves to be there.
func (s *site) setChannel(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findChannel(r)
	if err != nil {
		return err
	}
	field := func(name string) string { return strings.TrimSpace(cut(r.PostFormValue(name), 1000)) }
	number := func(name string) int {
		n, err := strconv.Atoi(field(name))
		if err != nil {
			return 0
		}
		return n
	}
	v.Name, v.Enabled, v.PerHour = field("name"), field("enabled") != "", number("per_hour")
	v.Target = alert.Target{
		Server: cmp.Or(field("server"), v.hook()), Topic: field("topic"), Chat: field("chat"), Port: number("port"), Security: field("security"),
		User: field("user"), From: field("from"), To: field("to"),
	}
	secret := alert.Secret{URL: field("url"), Token: cut(r.PostFormValue("secret"), 1000)}
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	v.Wrong = !right
	id := v.ID
	if right {
		id, err = s.box.SetAlertChannel(r.Context(), v.Channel, secret, who.Operator, who.IP.String())
		v.Problem, _ = detailOf(err)
	}
	if v.Wrong || v.Problem != "" {
		return s.again(w, r, who, "channel", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/channels/"+strconv.FormatInt(id, 10)+"?done=set", http.StatusSeeOther)
	return nil
}

// hook is the host of a webhook, which its form does not ask for.
func (v channelView) hook() string {
	if v.Kind == alert.Webhook {
		return v.Target.Server
	}
	return ""
}

// testChannel sends a test and shows what came of it.
func (s *site) testChannel(w http.ResponseWriter, r *http.Request, who caller) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if _, err := s.box.TestAlertChannel(r.Context(), id, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/channels/"+strconv.FormatInt(id, 10)+"?done=test", http.StatusSeeOther)
	return nil
}

// removeChannel removes a channel, for who proves to be there.
func (s *site) removeChannel(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findChannel(r)
	if err != nil {
		return err
	}
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		v.Wrong, v.Done = true, "remove"
		return s.again(w, r, who, "channel", v)
	}
	if err := s.box.RemoveAlertChannel(r.Context(), v.ID, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/alerts/channels?done=remove", http.StatusSeeOther)
	return nil
}
