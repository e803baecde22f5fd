package webui

import (
	"database/sql"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// The forms of the sign-in page about tokens.
const (
	formToken  = "token"
	formRevoke = "revoke"
)

// makeToken shows a new token this once, in the answer to the form.
func (s *site) makeToken(w http.ResponseWriter, r *http.Request, who caller) error {
	return s.ifProven(w, r, who, formToken, func() error {
		name := strings.TrimSpace(cut(r.PostFormValue("name"), 64))
		if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
			return refused("Give the token a name, so that you know it again.")
		}
		token, err := s.tokens.make(r.Context(), who, name, s.noting(r, who, "token.add"))
		if err != nil {
			return err
		}
		v := tokenView{Name: name, Token: token, URL: "http://" + r.Host + "/api/payments/stats"}
		if r.TLS != nil {
			v.URL = "https" + strings.TrimPrefix(v.URL, "http")
		}
		s.show(w, r, who, http.StatusOK, "token", v)
		return nil
	})
}

// tokenView fills templates/token.html.
type tokenView struct {
	Name, Token string
	URL         string // an example of what it may ask
}

// revokeToken needs no password: it only takes a right away.
func (s *site) revokeToken(w http.ResponseWriter, r *http.Request, who caller) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return notFound()
	}
	if err := s.tokens.revoke(r.Context(), who, id, s.noting(r, who, "token.revoke")); err != nil {
		return err
	}
	http.Redirect(w, r, "/sessions?done="+formRevoke, http.StatusSeeOther)
	return nil
}

// noting writes the audit row of a change into the change's own transaction.
func (s *site) noting(r *http.Request, who caller, action string) func(tx *sql.Tx, object string) error {
	return func(tx *sql.Tx, object string) error {
		return s.box.NoteIn(r.Context(), tx, who.Operator, action, object, who.IP.String())
	}
}
