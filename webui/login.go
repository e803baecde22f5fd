package webui

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Signing in takes one form, or two when the operator has a second factor: the
// password, then a code. Between them there is still no session.

// loginView fills templates/login.html, and templates/code.html.
type loginView struct {
	User, Next, Token string
	Half              string // what the first form has proved, for the second
	Problem           string // "", "wrong", "form" or a sentence
	SignedOut         bool
}

// loginCookie holds a nonce while the login form is open. Before login there
// is no session to bind a form token to, and a stranger should not be able to
// fill our table with sessions: so the token is the nonce's MAC.
const loginCookie = "pool_login"

// half is a login whose password was right. It lies in the second form, under a
// MAC with the browser's nonce, for the same reason.
type half struct {
	ID    int64     `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"` // see box.Login
	Until time.Time `json:"until"`
}

// halfLife is how long the second form may stay open.
const halfLife = 5 * time.Minute

func (s *site) showLogin(w http.ResponseWriter, r *http.Request, who caller) error {
	next := localPath(r.URL.Query().Get("next"))
	if who.signedIn() {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	s.loginForm(w, r, who, http.StatusOK, loginView{Next: next, SignedOut: r.URL.Query().Has("out")})
	return nil
}

// loginForm shows the form with a fresh nonce.
func (s *site) loginForm(w http.ResponseWriter, r *http.Request, who caller, status int, v loginView) {
	nonce := rand.Text()
	v.Token = s.loginToken(nonce)
	http.SetCookie(w, newCookie(r, loginCookie, nonce))
	w.Header().Set("Cache-Control", "no-store")
	s.show(w, r, who, status, "login", v)
}

// codeForm shows the second form. It goes with the nonce of the first.
func (s *site) codeForm(w http.ResponseWriter, r *http.Request, who caller, status int, v loginView) {
	v.Token = r.PostFormValue("token")
	w.Header().Set("Cache-Control", "no-store")
	s.show(w, r, who, status, "code", v)
}

func (s *site) loginToken(nonce string) string { return s.mac("form", nonce) }

// mac is a MAC over what a login form holds.
func (s *site) mac(parts ...string) string {
	mac := hmac.New(sha256.New, s.key)
	for _, part := range parts {
		mac.Write([]byte(strconv.Quote(part)))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// nonceOf is the nonce that the form's token was made from, if it was.
func (s *site) nonceOf(r *http.Request) (nonce string, ok bool) {
	nonce, ok = cookieOf(r, loginCookie)
	if !ok || !hmac.Equal([]byte(s.loginToken(nonce)), []byte(r.PostFormValue("token"))) {
		return "", false
	}
	return nonce, true
}

// login checks name and password. Then it starts a session, or asks for a code.
func (s *site) login(w http.ResponseWriter, r *http.Request, who caller) error {
	v := loginView{User: cut(r.PostFormValue("user"), 64), Next: localPath(r.PostFormValue("next"))}
	nonce, ok := s.nonceOf(r)
	if !ok {
		v.Problem = "form"
		s.loginForm(w, r, who, http.StatusForbidden, v)
		return nil
	}
	op, since, err := s.box.Login(r.Context(), v.User, r.PostFormValue("password"), who.IP.String())
	p, _ := errors.AsType[*problem](err)
	switch {
	case p != nil && p.Code == codeWrongPassword:
		v.Problem = "wrong"
		s.loginForm(w, r, who, http.StatusUnauthorized, v)
		return nil
	case p != nil && p.Code == codeSecondStep:
		v.Half, err = s.sealHalf(nonce, half{op.ID, op.Name, since, s.now().Add(halfLife)})
		if err == nil {
			s.codeForm(w, r, who, http.StatusOK, v)
		}
		return err
	case err != nil:
		return err
	}
	return s.enter(w, r, who, op, since, v)
}

// loginCode checks the code of the second form.
func (s *site) loginCode(w http.ResponseWriter, r *http.Request, who caller) error {
	v := loginView{Next: localPath(r.PostFormValue("next")), Half: r.PostFormValue("half")}
	nonce, ok := s.nonceOf(r)
	h, whole := s.openHalf(nonce, v.Half)
	if !ok || !whole {
		s.loginForm(w, r, who, http.StatusForbidden, loginView{Next: v.Next, Problem: "form"})
		return nil
	}
	op := operator{ID: h.ID, Name: h.Name}
	err := s.box.LoginCode(r.Context(), op, cut(r.PostFormValue("code"), 64), who.IP.String())
	p, _ := errors.AsType[*problem](err)
	switch {
	case p != nil && p.Code == codeWrongPassword:
		v.Problem = "wrong"
		s.codeForm(w, r, who, http.StatusUnauthorized, v)
		return nil
	case p != nil && p.Code == "refused":
		v.Problem = p.Detail
		s.codeForm(w, r, who, p.Status, v)
		return nil
	case err != nil:
		return err
	}
	return s.enter(w, r, who, op, h.Since, v)
}

func (s *site) sealHalf(nonce string, h half) (string, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	return s.mac("half", nonce, text) + "." + text, nil
}

// openHalf is the way back, for a form that is not too old.
func (s *site) openHalf(nonce, sealed string) (h half, ok bool) {
	mac, text, _ := strings.Cut(sealed, ".")
	if !hmac.Equal([]byte(mac), []byte(s.mac("half", nonce, text))) {
		return half{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return half{}, false
	}
	return h, s.now().Before(h.Until)
}

// enter starts the session of somebody who has proved who they are, if what they
// proved it with is still in force.
func (s *site) enter(w http.ResponseWriter, r *http.Request, who caller, op operator, since time.Time, v loginView) error {
	err := s.startSession(w, r, who, op, since)
	if errors.Is(err, errSuperseded) {
		v.Problem = "wrong"
		s.loginForm(w, r, who, http.StatusUnauthorized, v)
		return nil
	}
	if err != nil {
		return err
	}
	dropCookie(w, r, loginCookie)
	http.Redirect(w, r, v.Next, http.StatusSeeOther)
	return nil
}

// startSession ends whatever session the browser had and saves a new one under a
// new id, if nothing that lets the operator in has changed since; otherwise it is
// errSuperseded.
func (s *site) startSession(w http.ResponseWriter, r *http.Request, who caller, op operator, since time.Time) error {
	if !who.session.IsNew {
		if err := s.store.end(r.Context(), who.session.ID); err != nil {
			return err
		}
	}
	session := who.session
	session.ID = ""
	clear(session.Values)
	session.Values[keyOperatorID] = strconv.FormatInt(op.ID, 10)
	session.Values[keyOperator] = op.Name
	session.Values[keyPassword] = strconv.FormatInt(since.UnixMilli(), 10)
	session.Values[keyToken] = rand.Text()
	return session.Save(r, w)
}

// goOn leads somebody on whose sessions have just ended, in a new one; by way of the
// login form when what lets them in has changed once more meanwhile.
func (s *site) goOn(w http.ResponseWriter, r *http.Request, who caller, since time.Time, next string) error {
	err := s.startSession(w, r, who, who.Operator, since)
	if errors.Is(err, errSuperseded) {
		next = "/login"
	} else if err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *site) logout(w http.ResponseWriter, r *http.Request, who caller) error {
	who.session.Options.MaxAge = -1
	if err := who.session.Save(r, w); err != nil {
		return err
	}
	// Whoever wants to leave does, even when that cannot be written down.
	if err := s.box.Note(r.Context(), who.Operator, "logout", "", who.IP.String()); err != nil {
		s.log.Error("Audit entry not written", "action", "logout", "err", err)
	}
	http.Redirect(w, r, "/login?out", http.StatusSeeOther)
	return nil
}
