package webui

import (
	"errors"
	"net/http"
	"strings"
)

// bansView fills templates/bans.html.
type bansView struct {
	Bans  []banLine
	Done  string // "ban" or "lift"
	Whom  string // what the form is about: "address", "worker" or "network"
	Typed banLine

	Problem string // why nothing was done, a sentence
}

// WorkerPath is where the page of a banned worker is.
func (b banned) WorkerPath() string { return workerPath(b.Address, b.Worker) }

func (s *site) bans(r *http.Request, _ caller) (any, error) {
	v, err := s.listBans(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	v.Done = q.Get("done")
	v.Typed.banned = banned{Address: cut(q.Get("address"), 200), Worker: cut(q.Get("worker"), 256), Network: cut(q.Get("network"), 60)}
	switch {
	case v.Typed.Network != "":
		v.Whom = "network"
	case v.Typed.Worker != "":
		v.Whom = "worker"
	default:
		v.Whom = "address"
	}
	return v, nil
}

func (s *site) listBans(r *http.Request) (v bansView, err error) {
	v.Bans, err = s.box.Bans(r.Context())
	return v, err
}

// ban keeps out whom the form names.
func (s *site) ban(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.listBans(r)
	if err != nil {
		return err
	}
	v.Typed = banLine{
		banned: banned{
			Address: strings.TrimSpace(cut(r.PostFormValue("address"), 200)),
			Worker:  cut(r.PostFormValue("worker"), 256),
			Network: strings.TrimSpace(cut(r.PostFormValue("network"), 60)),
		},
		Reason: cut(r.PostFormValue("reason"), 1000),
	}
	v.Whom = r.PostFormValue("whom")
	order := banOrder{banned: v.Typed.banned, Reason: v.Typed.Reason, Operator: who.Operator, IP: who.IP.String()}
	switch v.Whom { // what is typed into the other fields does not count
	case "network":
		order.banned = banned{Network: order.Network}
	case "worker":
		order.Network = ""
	default:
		order.banned = banned{Address: order.Address}
	}
	err = s.box.Ban(r.Context(), order)
	if detail, ok := detailOf(err); ok {
		v.Problem = detail
		return s.again(w, r, who, "bans", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/bans?done=ban", http.StatusSeeOther)
	return nil
}

// liftBan ends a ban.
func (s *site) liftBan(w http.ResponseWriter, r *http.Request, who caller) error {
	b := banned{Address: r.PostFormValue("address"), Worker: r.PostFormValue("worker"), Network: r.PostFormValue("network")}
	if err := s.box.LiftBan(r.Context(), b, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/bans?done=lift", http.StatusSeeOther)
	return nil
}

// detailOf is the sentence of a refusal, for the form that was refused.
func detailOf(err error) (string, bool) {
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity {
		return p.Detail, true
	}
	return "", false
}
