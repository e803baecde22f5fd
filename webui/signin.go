package webui

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// The sign-in page is where operators look after how they come in: in which
// browsers they are signed in, their second factor, and the tokens of their scripts.

// Its forms, as URLs and the page name them.
const (
	formFactor = "factor"
	formRemove = "remove"
	formCodes  = "codes"
	formOthers = "others"
	formEnd    = "end"
)

// signInLine is a browser in which one is signed in.
type signInLine struct {
	Hash        string // hex, names it in forms; it opens nothing
	Since, Seen time.Time
	Ends        time.Time // unless it is used
	IP, Agent   string
	Here        bool // it is the one that asks
}

// ID is how the audit log names it.
func (l signInLine) ID() string { return l.Hash[:6] }

// signInView fills templates/sessions.html.
type signInView struct {
	Sessions []signInLine
	Factor   factorState
	Tokens   []tokenLine
	Done     string // what was just done, as above

	Form    string // the form that comes back, as above
	Wrong   bool   // its password, or code, is
	Problem string // what else is wrong, a sentence
}

// Readers counts the tokens that may look.
func (v signInView) Readers() (n int) {
	for _, l := range v.Tokens {
		if l.Scope == string(scopeRead) {
			n++
		}
	}
	return n
}

// Manage are the forms of a second factor that is on.
func (signInView) Manage() []string { return []string{formCodes, formRemove} }

func (s *site) signIns(r *http.Request, who caller) (any, error) { return s.gatherSignIns(r, who) }

func (s *site) gatherSignIns(r *http.Request, who caller) (v signInView, err error) {
	if v.Sessions, err = s.store.list(r.Context(), who); err != nil {
		return v, err
	}
	if v.Factor, err = s.box.Factor(r.Context(), who.Operator); err != nil {
		return v, err
	}
	if v.Tokens, err = s.tokens.list(r.Context(), who.Operator); err != nil {
		return v, err
	}
	v.Done = r.URL.Query().Get("done")
	return v, nil
}

// ifProven runs an action of the page for somebody who knows the password.
func (s *site) ifProven(w http.ResponseWriter, r *http.Request, who caller, form string, do func() error) error {
	right, err := s.provesPassword(r, who)
	if err == nil && !right {
		err = &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword}
	}
	if err == nil {
		err = do()
	}
	return s.signInPage(w, r, who, form, err)
}

// signInPage brings the page back with what was wrong about a form, if it is
// something that a person can put right.
func (s *site) signInPage(w http.ResponseWriter, r *http.Request, who caller, form string, wrong error) error {
	p, ok := errors.AsType[*problem](wrong)
	if !ok || p.Code != codeWrongPassword && p.Code != "refused" {
		return wrong
	}
	v, err := s.gatherSignIns(r, who)
	if err != nil {
		return err
	}
	v.Done, v.Form, v.Wrong, v.Problem = "", form, p.Code == codeWrongPassword, p.Detail
	return s.again(w, r, who, "sessions", v)
}

// endSession ends one of one's sessions.
func (s *site) endSession(w http.ResponseWriter, r *http.Request, who caller) error {
	hash, err := hex.DecodeString(r.PostFormValue("session"))
	if err != nil || len(hash) != 32 {
		return notFound()
	}
	if err := s.store.endOf(r.Context(), who, `id_hash = ?`, hash, s.noting(r, who, "session.end")); err != nil {
		return err
	}
	http.Redirect(w, r, "/sessions?done="+formEnd, http.StatusSeeOther)
	return nil
}

// endOthers ends all one's sessions but this one.
func (s *site) endOthers(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.store.endOf(r.Context(), who, `id_hash <> ?`, idHash(who.session.ID), s.noting(r, who, "session.end")); err != nil {
		return err
	}
	http.Redirect(w, r, "/sessions?done="+formOthers, http.StatusSeeOther)
	return nil
}

// stay keeps the session alive for somebody who reads or types for long. That the
// request came is all that it takes; the script reads the new end off the answer.
func (s *site) stay(w http.ResponseWriter, r *http.Request, _ caller) error {
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
	return nil
}

// list returns the living sessions of who asks, the newest first.
func (s *store) list(ctx context.Context, who caller) ([]signInLine, error) {
	now := s.now()
	rows, err := s.db.Reader().QueryContext(ctx, `
		SELECT id_hash, created_at, seen_at, expires_at, ip, user_agent
		  FROM web_session
		 WHERE operator   = ?
		   AND expires_at > ?
		   AND seen_at    > ?
		 ORDER BY created_at DESC`,
		who.Operator.ID, now.UnixMilli(), now.Add(-sessionIdle).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	lines, err := sqlite.Collect(rows, func(r *sql.Rows) (signInLine, error) {
		var l signInLine
		var hash []byte
		var since, seen, over int64
		err := r.Scan(&hash, &since, &seen, &over, &l.IP, &l.Agent)
		l.Hash, l.Since, l.Seen = hex.EncodeToString(hash), time.UnixMilli(since), time.UnixMilli(seen)
		l.Ends, _ = life{l.Seen, time.UnixMilli(over)}.ends()
		l.Here = l.Hash == hex.EncodeToString(idHash(who.session.ID))
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return lines, nil
}

// endOf ends sessions of who asks, and of nobody else.
func (s *store) endOf(ctx context.Context, who caller, which string, hash []byte, note func(tx *sql.Tx, object string) error) error {
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM web_session WHERE operator = ? AND `+which+` RETURNING id_hash`, who.Operator.ID, hash)
		if err != nil {
			return err
		}
		ended, err := sqlite.Collect(rows, func(r *sql.Rows) (id []byte, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		for _, id := range ended {
			if err := note(tx, shortID(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}
