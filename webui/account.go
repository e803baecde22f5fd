package webui

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// accountRule is how the operator wants one account to be paid.
type accountRule struct {
	Address   string
	MinPayout int64 // 0: the pool's minimum
	Hold      bool
	Operator  operator
	IP        string
}

// accountView fills templates/account.html.
type accountView struct {
	owedLine
	PoolMin int64

	Typed   string // own minimum, as it stands in the form
	Held    bool   // as it is ticked in the form
	Problem string // why the minimum does not do, a sentence
	Wrong   bool   // the password was
	Saved   bool

	Adjust adjustView
}

// Seen names the rule that the form was made from.
func (v accountView) Seen() string {
	return strconv.FormatInt(v.MinPayout, 10) + " " + strconv.FormatBool(v.Hold)
}

func (s *site) account(r *http.Request, _ caller) (any, error) {
	return s.findAccount(r.Context(), r)
}

func (s *site) findAccount(ctx context.Context, r *http.Request) (accountView, error) {
	address, err := s.box.ParseAddress(cut(r.PathValue("address"), 200))
	if err != nil {
		return accountView{}, notFound()
	}
	owed, err := s.box.Owed(ctx)
	if err != nil {
		return accountView{}, err
	}
	rules, _, err := s.box.Settings(ctx)
	if err != nil {
		return accountView{}, err
	}
	for _, o := range owed {
		if o.Address != address {
			continue
		}
		v := accountView{owedLine: o, PoolMin: rules.MinPayoutSat, Held: o.Hold, Saved: r.URL.Query().Has("saved")}
		if v.Adjust, err = s.box.Adjustable(ctx, address); err != nil {
			return accountView{}, err
		}
		v.Adjust.Done, v.Adjust.Waits = r.URL.Query().Has("adjusted"), r.URL.Query().Has("waits")
		if o.MinPayout > 0 {
			v.Typed = sats().write(&o.MinPayout)
		}
		return v, nil
	}
	return accountView{}, &problem{Status: http.StatusNotFound, Code: "not-found", Detail: "No block was shared with this address yet."}
}

// setAccountRule saves the minimum and the hold of one account.
func (s *site) setAccountRule(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findAccount(r.Context(), r)
	if err != nil {
		return err
	}
	if r.PostFormValue("seen") != v.Seen() {
		return stale(nil)
	}
	rule := accountRule{Address: v.Address, Hold: r.PostForm.Has("hold"), Operator: who.Operator, IP: who.IP.String()}
	v.Typed, v.Held = cut(r.PostFormValue("min"), 40), rule.Hold
	if v.Typed != "" {
		if err := sats().read(v.Typed, &rule.MinPayout); err != nil {
			v.Problem = asSentence(err)
			return s.again(w, r, who, "account", v)
		}
	}
	if right, err := s.proves(r, who); err != nil {
		return err
	} else if !right {
		v.Wrong = true
		return s.again(w, r, who, "account", v)
	}
	if err := s.box.SetAccountRule(r.Context(), rule); err != nil {
		return err
	}
	http.Redirect(w, r, "/accounts/"+url.PathEscape(v.Address)+"?saved", http.StatusSeeOther)
	return nil
}
