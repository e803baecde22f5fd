package webui

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// personLine is somebody who may sign in.
type personLine struct {
	operator

	AddedAt    time.Time
	PasswordAt time.Time // of the last change of the password
	Sessions   int       // browsers that are signed in
	Factor     bool      // there is a second factor
}

// The things that an operator can do about people, as forms and URLs name them.
const (
	personAdd      = "add"
	personRemove   = "remove"
	personPassword = "password" // one's own
)

// peopleChange asks for one of them.
type peopleChange struct {
	Action   string
	Name     string   // of who is added
	Person   operator // who is removed
	Password string   // the new one
	Revoke   bool     // one's tokens, with the old one
	Operator operator
	IP       string
}

// peopleView fills templates/people.html.
type peopleView struct {
	People []personLine
	Tokens int    // of the one who asks, that may look
	Above  int64  // a payout of more sats needs two people; 0: none does
	Done   string // what was just done, as above

	Form    string // the form that comes back, as above
	About   int64  // who was to be removed
	Typed   string // name that was typed
	Wrong   bool   // the password of the one who asks is
	Problem string // what else is wrong, a sentence
}

// Alone reports whether there is nobody else to agree to anything.
func (v peopleView) Alone() bool { return len(v.People) == 1 }

// Field is the id of the password field of the form that comes back.
func (v peopleView) Field() string {
	switch v.Form {
	case personAdd:
		return "add-password"
	case personRemove:
		return "remove-password-" + strconv.FormatInt(v.About, 10)
	}
	return "own-password"
}

func (s *site) people(r *http.Request, who caller) (any, error) {
	return s.listPeople(r, who)
}

func (s *site) listPeople(r *http.Request, who caller) (peopleView, error) {
	all, err := s.box.People(r.Context())
	if err != nil {
		return peopleView{}, err
	}
	rules, _, err := s.box.Settings(r.Context())
	if err != nil {
		return peopleView{}, err
	}
	tokens, err := s.tokens.readers(r.Context(), who.Operator)
	if err != nil {
		return peopleView{}, err
	}
	return peopleView{People: all, Tokens: tokens, Above: rules.SecondPersonAboveSat, Done: r.URL.Query().Get("done")}, nil
}

// changePeople does one of the actions when the form carries the password of the
// one who asks, and comes back with what is wrong otherwise.
func (s *site) changePeople(name string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		v, err := s.listPeople(r, who)
		if err != nil {
			return err
		}
		c := peopleChange{Action: name, Password: r.PostFormValue("new"), Revoke: revokes(r), Operator: who.Operator, IP: who.IP.String()}
		switch name {
		case personAdd:
			c.Name = cut(r.PostFormValue("name"), 64)
		case personRemove:
			if c.Person, err = v.person(r); err != nil {
				return err
			}
		}
		v.Form, v.Typed, v.About = name, c.Name, c.Person.ID
		prove := s.proves
		if name == personPassword {
			prove = s.provesPassword
		}
		right, err := prove(r, who)
		if err != nil {
			return err
		}
		v.Wrong = !right
		if right && name != personRemove && c.Password != r.PostFormValue("again") {
			v.Problem = "The two new passwords differ."
		}
		var since time.Time
		if !v.Wrong && v.Problem == "" {
			since, err = s.box.ChangePeople(r.Context(), c)
			if p, ok := errors.AsType[*problem](err); ok && p.Code == "refused" {
				v.Problem = p.Detail
			} else if err != nil {
				return err
			}
		}
		if v.Wrong || v.Problem != "" {
			return s.again(w, r, who, "people", v)
		}
		return s.afterPeople(w, r, who, c, since)
	}
}

// person is the one that the URL names. A page that is older than the list does
// not remove whoever has got the same id since: the form has the name, too.
func (v peopleView) person(r *http.Request) (operator, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return operator{}, notFound()
	}
	for _, p := range v.People {
		if p.ID == id && p.Name == r.PostFormValue("name") {
			return p.operator, nil
		}
	}
	return operator{}, stale(nil)
}

// afterPeople leads on. The sessions of who was removed, or has a new password,
// are gone: who changed their own goes on in a new one.
func (s *site) afterPeople(w http.ResponseWriter, r *http.Request, who caller, c peopleChange, since time.Time) error {
	next := "/people?done=" + c.Action
	if c.Action == personPassword {
		return s.goOn(w, r, who, since, next)
	}
	if c.Action == personRemove && c.Person.ID == who.Operator.ID {
		next = "/login?out"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
