package webui

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// linksView fills templates/links.html: what the operators call an address, and the
// links to its page that do not tell it.
type linksView struct {
	Address string
	Links   []linkLine
	Name    string // as it stands in the form
	Made    string // a link that was made just now: it is shown this once
	Code    qr     // of Made
	Done    string // "name" or "revoke"
	Problem string // why nothing was done, a sentence
}

func (s *site) links(r *http.Request, _ caller) (any, error) {
	v, err := s.findLinks(r)
	if err != nil {
		return nil, err
	}
	v.Done = r.URL.Query().Get("done")
	return v, nil
}

func (s *site) findLinks(r *http.Request) (v linksView, err error) {
	if v.Address, err = s.addressOf(r); err != nil {
		return v, err
	}
	if v.Links, err = s.box.Links(r.Context(), v.Address); err != nil {
		return v, err
	}
	v.Name, err = s.aliasOf(r, v.Address)
	return v, err
}

// aliasOf is what the operators call an address, empty when they call it nothing.
func (s *site) aliasOf(r *http.Request, address string) (string, error) {
	marks, err := s.box.Marks(r.Context(), address)
	if err != nil {
		return "", err
	}
	for _, m := range marks {
		if m.Worker == "" {
			return m.Label, nil
		}
	}
	return "", nil
}

// makeLink makes a link and shows it: it is kept nowhere.
func (s *site) makeLink(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findLinks(r)
	if err != nil {
		return err
	}
	token, err := s.box.Link(r.Context(), v.Address, who.Operator, who.IP.String())
	if detail, ok := detailOf(err); ok {
		v.Problem = detail
		return s.again(w, r, who, "links", v)
	}
	if err != nil {
		return err
	}
	if v.Links, err = s.box.Links(r.Context(), v.Address); err != nil {
		return err
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	v.Made = scheme + "://" + r.Host + privatePath + token // the host was checked
	if v.Code, err = qrOf(v.Made); err != nil {
		return err
	}
	s.show(w, r, who, http.StatusOK, "links", v)
	return nil
}

// revokeLink takes a link back.
func (s *site) revokeLink(w http.ResponseWriter, r *http.Request, who caller) error {
	address, err := s.addressOf(r)
	if err != nil {
		return err
	}
	if err := s.box.Unlink(r.Context(), address, r.PathValue("id"), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, linksPath(address)+"?done=revoke", http.StatusSeeOther)
	return nil
}

// nameAddress saves what the operators call an address.
func (s *site) nameAddress(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findLinks(r)
	if err != nil {
		return err
	}
	marks, err := s.box.Marks(r.Context(), v.Address)
	if err != nil {
		return err
	}
	m := mark{Address: v.Address, Label: r.PostFormValue("name")}
	if i := slices.IndexFunc(marks, func(old mark) bool { return old.Worker == "" }); i >= 0 {
		m.Tags = marks[i].Tags
	}
	err = s.box.SetMark(r.Context(), m, who.Operator, who.IP.String())
	if detail, ok := detailOf(err); ok {
		v.Name, v.Problem = cut(m.Label, 200), detail
		return s.again(w, r, who, "links", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, linksPath(v.Address)+"?done=name", http.StatusSeeOther)
	return nil
}

func linksPath(address string) string { return "/accounts/" + url.PathEscape(address) + "/links" }

// privatePath begins the links that do not tell an address. What follows is their
// token, which no log may hold.
const privatePath = "/o/"

// privateAddress is the address that a private link leads to.
func (s *site) privateAddress(r *http.Request) (string, error) {
	return s.box.Linked(r.Context(), cut(r.PathValue("token"), 100))
}

// private is the observer page behind a private link: nothing on it tells the
// address, neither itself nor a transaction or a name that would.
func (s *site) private(r *http.Request, _ caller) (any, error) {
	address, err := s.privateAddress(r)
	if err != nil {
		return nil, err
	}
	v, err := s.box.Observer(r.Context(), address)
	if err != nil {
		return nil, err
	}
	v.Base, v.Private = privatePath+url.PathEscape(r.PathValue("token")), true
	if v.Alias, err = s.aliasOf(r, address); err != nil {
		return nil, err
	}
	v.Workers, v.More = busiest(v.Workers)
	if err := s.fillObserver(r, &v, address); err != nil {
		return nil, err
	}
	v.hide(address)
	return v, nil
}

// hide takes the address out of everything that the page shows.
func (v *observerView) hide(address string) {
	told := regexp.MustCompile("(?i)" + regexp.QuoteMeta(address)) // a name may hold it, in whatever case
	masked := func(text string) string { return told.ReplaceAllLiteralString(text, "…") }
	v.Address = ""
	called := map[string]string{}
	v.Workers = slices.Clone(v.Workers)
	for i := range v.Workers {
		l := &v.Workers[i]
		name := l.Name
		l.Name = masked(l.Name)
		if l.Label != "" {
			l.Name = l.Label
		}
		called[name] = l.Name
		l.UserAgent = masked(l.UserAgent)
		l.Address, l.Label, l.Account, l.Banned, l.Tags = "", "", "", "", nil
	}
	v.Shares = slices.Clone(v.Shares)
	for i := range v.Shares {
		l := &v.Shares[i]
		if name, ok := called[l.Worker]; ok {
			l.Worker = name
		}
		l.Worker = masked(l.Worker)
	}
	v.Payouts = slices.Clone(v.Payouts)
	for i := range v.Payouts {
		v.Payouts[i].TxID, v.Payouts[i].Vout = "", nil
	}
}

// privateSeries is the hash rate behind a private link as CSV.
func (s *site) privateSeries(w http.ResponseWriter, r *http.Request, _ caller) error {
	address, err := s.privateAddress(r)
	if err != nil {
		return err
	}
	return s.sendSeries(w, r, s.seriesOf(address), "hashrate")
}

// loggedPath is the path of a request as a log may hold it.
func loggedPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, privatePath) {
		return privatePath + "…"
	}
	return r.URL.Path
}
