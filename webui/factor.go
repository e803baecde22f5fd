package webui

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A second factor begins with a secret that is shown once, in the answer to a form:
// no address brings it back, and no cache keeps it. A code of it puts it into force
// and is answered with the recovery codes, which are shown once, too, and of which
// one is typed to see that they were kept. Whoever was led here on the way to another
// page goes on to that page from there.

// factors is what the pages need of the box about second factors. Where a code is
// asked for, one for recovery does as well; a wrong one is codeWrongPassword. revoke
// ends the tokens of one's scripts, too.
type factors interface {
	Factor(ctx context.Context, op operator) (factorState, error)
	ProposeFactor(ctx context.Context, op operator) (proposal, error)
	ProposedFactor(ctx context.Context, op operator) (proposal, error)
	ConfirmFactor(ctx context.Context, op operator, code string, revoke bool, ip string) (codes []string, since time.Time, err error)
	KnowsCode(ctx context.Context, op operator, code, ip string) error
	RemoveFactor(ctx context.Context, op operator, code string, revoke bool, ip string) (since time.Time, err error)
	RenewCodes(ctx context.Context, op operator, code, ip string) (codes []string, err error)
	LoginCode(ctx context.Context, op operator, code, ip string) error
}

// factorState is what is known of one's second factor.
type factorState struct {
	Since time.Time // zero: there is none
	Codes int       // recovery codes that are still good

	Needed bool // to approve, sign and send
}

// On reports whether there is one.
func (f factorState) On() bool { return !f.Since.IsZero() }

// Missing reports whether one has to be set up before anything can be sent.
func (f factorState) Missing() bool { return f.Needed && !f.On() }

// proposal is a secret that waits for its first code.
type proposal struct{ Secret, URI string }

// factorView fills templates/factor.html.
type factorView struct {
	proposal

	Next   string // where the way leads afterwards
	Tokens int    // that may look, and can be revoked with it
	Wrong  bool   // the code was
}

// Groups is the secret as people type it.
func (v factorView) Groups() string {
	var groups []string
	for group := range slices.Chunk([]byte(v.Secret), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

// codesView fills templates/codes.html. Without the codes it is the form that asks
// for one, which comes back when that was none.
type codesView struct {
	Codes []string
	Next  string

	Owner, Pool string
	At          time.Time
	File, Token string // the form that gives them as a file, and its token
}

// nextOf is where the forms of a second factor lead in the end.
func nextOf(r *http.Request) string {
	if next := localPath(r.FormValue("next")); next != "/" {
		return next
	}
	return "/sessions"
}

// offerFactor asks somebody who has just set the box up to set up a second factor,
// too, and lets them do it later.
func (s *site) offerFactor(w http.ResponseWriter, r *http.Request, who caller) error {
	f, err := s.box.Factor(r.Context(), who.Operator)
	if err != nil {
		return err
	}
	if f.On() {
		http.Redirect(w, r, nextOf(r), http.StatusSeeOther)
		return nil
	}
	s.show(w, r, who, http.StatusOK, "offer", nextOf(r))
	return nil
}

// beginFactor shows a new secret to somebody who knows the password.
func (s *site) beginFactor(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.ifProven(w, r, who, formFactor, func() error {
		v := factorView{Next: nextOf(r)}
		var err error
		if v.Tokens, err = s.tokens.readers(r.Context(), who.Operator); err != nil {
			return err
		}
		if v.proposal, err = s.box.ProposeFactor(r.Context(), who.Operator); err != nil {
			return err
		}
		s.show(w, r, who, http.StatusOK, "factor", v)
		return nil
	})
}

// confirmFactor puts the secret into force. All sessions end with that; the one
// that did it goes on in a new one.
func (s *site) confirmFactor(w http.ResponseWriter, r *http.Request, who caller) error {
	v := factorView{Next: nextOf(r), Wrong: true}
	var err error
	if v.Tokens, err = s.tokens.readers(r.Context(), who.Operator); err != nil {
		return err
	}
	codes, since, err := s.box.ConfirmFactor(r.Context(), who.Operator, cut(r.PostFormValue("code"), 64), revokes(r), who.IP.String())
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		if v.proposal, err = s.box.ProposedFactor(r.Context(), who.Operator); err != nil {
			return s.signInPage(w, r, who, formFactor, err)
		}
		return s.again(w, r, who, "factor", v)
	}
	if err != nil {
		return s.signInPage(w, r, who, formFactor, err)
	}
	// The codes count from now on and nobody can show them again: whatever has come of
	// the session, they are the answer.
	owner := who.Operator
	if err := s.startSession(w, r, who, who.Operator, since); err != nil {
		s.log.Warn("No session after the second factor was switched on", "user", owner.Name, "err", err)
		who = caller{IP: who.IP}
	}
	s.showCodes(w, r, who, owner, codes)
	return nil
}

// removeFactor wants both: one must not be enough to get rid of the other.
func (s *site) removeFactor(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.ifProven(w, r, who, formRemove, func() error {
		since, err := s.box.RemoveFactor(r.Context(), who.Operator, cut(r.PostFormValue("code"), 64), revokes(r), who.IP.String())
		if err != nil {
			return err
		}
		return s.goOn(w, r, who, since, "/sessions?done="+formRemove)
	})
}

func (s *site) renewCodes(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.ifProven(w, r, who, formCodes, func() error {
		codes, err := s.box.RenewCodes(r.Context(), who.Operator, cut(r.PostFormValue("code"), 64), who.IP.String())
		if err != nil {
			return err
		}
		s.showCodes(w, r, who, who.Operator, codes)
		return nil
	})
}

// showCodes shows recovery codes this once. The form token in the page is of the
// session that is in force by now; a page without one has no forms.
func (s *site) showCodes(w http.ResponseWriter, r *http.Request, who caller, owner operator, codes []string) {
	if who.signedIn() {
		who.Token, _ = who.session.Values[keyToken].(string)
	}
	s.show(w, r, who, http.StatusOK, "codes", codesView{
		Codes: codes, Next: nextOf(r), Owner: owner.Name, Pool: s.box.Identity().Name, At: s.now(), File: "/factor/file", Token: who.Token,
	})
}

// revokes reports whether the form wants the tokens of one's scripts to end, too.
func revokes(r *http.Request) bool { return r.PostForm.Has("revoke") }

// codesFile gives the codes that a page has just shown as a file.
func (s *site) codesFile(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.giveCodes(w, r, who.Operator.Name, s.box.Identity().Name)
}

// giveCodes sends the recovery codes in a form back as a file. The box has only
// their hashes; a page cannot offer a file by itself without a script.
func (s *site) giveCodes(w http.ResponseWriter, r *http.Request, owner, pool string) error {
	words := s.lookOf(r).words
	var text strings.Builder
	text.WriteString(words.must("codes.of", "name", owner, "pool", pool) + "\r\n\r\n")
	for _, code := range r.PostForm["recovery"] {
		if !recoveryCode.MatchString(code) {
			return invalid("This is no recovery code.")
		}
		text.WriteString(code + "\r\n")
	}
	text.WriteString("\r\n" + words.must("codes.each") + " " + words.written(s.now(), "time.full") + "\r\n")
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="dmpool-recovery-codes.txt"`)
	_, err := io.WriteString(w, text.String())
	return err
}

var recoveryCode = regexp.MustCompile(`^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$`)

// keptCodes leads on when one of the codes that were shown is typed.
func (s *site) keptCodes(w http.ResponseWriter, r *http.Request, who caller) error {
	right, err := isRight(s.box.KnowsCode(r.Context(), who.Operator, cut(r.PostFormValue("code"), 64), who.IP.String()))
	if err != nil {
		return err
	}
	if !right {
		return s.again(w, r, who, "codes", codesView{Next: nextOf(r)})
	}
	http.Redirect(w, r, nextOf(r), http.StatusSeeOther)
	return nil
}
