package webui

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/sessions"
)

// operator is a person who may sign in.
type operator struct {
	ID   int64
	Name string
}

// caller is who sent a request. The zero operator is a stranger.
type caller struct {
	Operator operator
	Token    string // the form token of the session
	IP       netip.Addr
	session  *sessions.Session
}

func (c caller) signedIn() bool { return c.Operator.ID != 0 }

// identify finds out who sent the request, without starting a session.
func (s *site) identify(r *http.Request) (caller, error) {
	who := caller{IP: remoteIP(r)}
	session, err := s.store.Get(r, cookieName(r))
	if err != nil {
		return who, err
	}
	who.session = session
	if session.IsNew {
		return who, nil
	}
	id, _ := session.Values[keyOperatorID].(string)
	who.Operator.ID, err = strconv.ParseInt(id, 10, 64)
	if err != nil {
		return caller{IP: who.IP, session: session}, nil
	}
	who.Operator.Name, _ = session.Values[keyOperator].(string)
	who.Token, _ = session.Values[keyToken].(string)
	return who, nil
}

// provesForm reports whether the posted form, or the header of an API command,
// carries the session's token.
func provesForm(r *http.Request, who caller) bool {
	sent := r.Header.Get(tokenHeader)
	if !isAPI(r) {
		if uploadLimit(r.URL.Path) > 0 && openUpload(r) != nil {
			return false
		}
		sent = r.PostFormValue("token")
	}
	return who.Token != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(who.Token)) == 1
}

// proves reports whether the form carries the operator's password. The error is
// of something else, such as too many tries.
func (s *site) proves(r *http.Request, who caller) (bool, error) {
	err := s.box.Reauthenticate(r.Context(), who.Operator, r.PostFormValue("password"), who.IP.String())
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		return false, nil
	}
	return err == nil, err
}

// loginView fills templates/login.html.
type loginView struct {
	User, Next, Token string
	Problem           string // "", "wrong" or "form"
	SignedOut         bool
}

// loginCookie holds a nonce while the login form is open. Before login there
// is no session to bind a form token to, and a stranger should not be able to
// fill our table with sessions: so the token is the nonce's MAC.
const loginCookie = "pool_login"

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
	http.SetCookie(w, &http.Cookie{
		Name: loginCookie, Value: nonce, Path: "/login",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	s.show(w, r, who, status, "login", v)
}

func (s *site) loginToken(nonce string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(nonce))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// login checks name and password and starts a session under a new id.
func (s *site) login(w http.ResponseWriter, r *http.Request, who caller) error {
	v := loginView{User: cut(r.PostFormValue("user"), 64), Next: localPath(r.PostFormValue("next"))}
	nonce, err := r.Cookie(loginCookie)
	if err != nil || !hmac.Equal([]byte(s.loginToken(nonce.Value)), []byte(r.PostFormValue("token"))) {
		v.Problem = "form"
		s.loginForm(w, r, who, http.StatusForbidden, v)
		return nil
	}
	op, since, err := s.box.Login(r.Context(), v.User, r.PostFormValue("password"), who.IP.String())
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		v.Problem = "wrong"
		s.loginForm(w, r, who, http.StatusUnauthorized, v)
		return nil
	}
	if err != nil {
		return err
	}
	err = s.startSession(w, r, who, op, since)
	if errors.Is(err, errSuperseded) {
		v.Problem = "wrong"
		s.loginForm(w, r, who, http.StatusUnauthorized, v)
		return nil
	}
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Path: "/login", MaxAge: -1, HttpOnly: true})
	http.Redirect(w, r, v.Next, http.StatusSeeOther)
	return nil
}

// startSession ends whatever session the browser had and saves a new one, if the
// operator's password is still the one of since; otherwise it is errSuperseded.
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

func (s *site) logout(w http.ResponseWriter, r *http.Request, who caller) error {
	who.session.Options.MaxAge = -1
	if err := who.session.Save(r, w); err != nil {
		return err
	}
	s.box.SignedOut(r.Context(), who.Operator, who.IP.String())
	http.Redirect(w, r, "/login?out", http.StatusSeeOther)
	return nil
}

// toLogin sends a stranger who wanted an operator's page to the login form.
// Whoever asked for something else than a page is told 401.
func (s *site) toLogin(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && !isAPI(r) && !isPoll(r) {
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	s.fail(w, r, caller{}, &problem{Status: http.StatusUnauthorized, Code: "signed-out"})
}

// localPath accepts a path on this server and turns anything else into "/",
// so that the login form cannot be used to send people elsewhere.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}
