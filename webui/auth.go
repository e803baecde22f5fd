package webui

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/sessions"

	"github.com/dmpool/dmpool/appliance"
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
	Session  string    // short id, by which people and the audit log name it
	Ends     time.Time // of the session, unless it is used
	Final    bool      // it ends then, used or not
	session  *sessions.Session
	scope    scope // of the token that a script showed; empty: a browser with a session
}

func (c caller) signedIn() bool { return c.Operator.ID != 0 }

// identify finds out who sent the request, without starting a session. A token
// counts before a cookie: whoever shows one means it. Where no operator may come
// from, everybody is a stranger.
func (s *site) identify(r *http.Request) (caller, error) {
	if ip := remoteIP(r); !s.mayOperate(ip) {
		return caller{IP: ip}, nil
	}
	if token, ok := bearer(r); ok {
		return s.identifyToken(r, token)
	}
	who := caller{IP: remoteIP(r)}
	session, err := s.store.Get(r, cookieName(r, sessionCookie))
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
	who.Session = shortID(idHash(session.ID))
	who.Ends, who.Final = lifeOf(session).ends()
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

// proves reports whether the form carries proof that the operator is still there:
// the password, or a code of the second factor. Whatever moves money, or lets
// somebody in, asks for it, and takes it for this one form. The error is of
// something else, such as too many tries.
func (s *site) proves(r *http.Request, who caller) (bool, error) {
	return isRight(s.box.Reauthenticate(r.Context(), who.Operator, r.PostFormValue("password"), who.IP.String()))
}

// provesPassword is proves for what changes the password or the second factor:
// one of the two must not be enough to get rid of the other.
func (s *site) provesPassword(r *http.Request, who caller) (bool, error) {
	return isRight(s.box.ProvePassword(r.Context(), who.Operator, r.PostFormValue("password"), who.IP.String()))
}

// methodOf is how the books name a proof.
func methodOf(proof string) string {
	if appliance.IsCode(proof) {
		return "code"
	}
	return "password"
}

// isRight tells a proof that is wrong from one that could not be looked at.
func isRight(err error) (bool, error) {
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		return false, nil
	}
	return err == nil, err
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
