package webui

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/sessions"

	"github.com/dmpool/dmpool/pool/sqlite"
)

const (
	sessionIdle = 30 * time.Minute // without a request by a person
	sessionLife = 12 * time.Hour   // whatever happens
	seenStep    = time.Minute      // seen_at is written at most this often
)

// store keeps sessions in the table web_session, which belongs to this file.
// It implements sessions.Store of gorilla/sessions.
//
// The cookie holds 32 random bytes; the table holds only their SHA-256, so a
// stolen backup opens no session. Deleting the row ends the session at once.
//
//	id_hash     SHA-256 of the id in the cookie
//	operator    operator.id
//	data        the session's values, JSON
//	created_at  Unix milliseconds, as all times here
//	seen_at     of the last request by a person
//	expires_at  created_at + 12 h
//	ip          where it was started
//	user_agent  what started it
type store struct {
	db  *sqlite.DB
	now func() time.Time
}

// Names of the values that a session holds.
const (
	keyOperatorID = "operator_id"
	keyOperator   = "operator"
	keyToken      = "form_token"
	keyPassword   = "password_set" // Unix milliseconds: which of the operator's passwords and second factors it was
)

// errSuperseded says that an operator was removed, or got another password or
// second factor, after what the session was begun with was found right.
var errSuperseded = errors.New("the password is not the operator's any more")

// unlessSuperseded is the outcome of storing what holds for an operator only while
// nothing of that has changed.
func unlessSuperseded(stored sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := stored.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errSuperseded)
	}
	return nil
}

// life is when a session was used last, and when it is over in any case.
type life struct{ seen, over time.Time }

// keyLife is where a loaded session holds its life. It is not among the values that
// are stored.
type keyLife struct{}

func lifeOf(session *sessions.Session) life {
	l, _ := session.Values[keyLife{}].(life)
	return l
}

// ends is when the session ends if it is not used, and whether it does so even then.
func (l life) ends() (at time.Time, final bool) {
	if idle := l.seen.Add(sessionIdle); idle.Before(l.over) {
		return idle, false
	}
	return l.over, true
}

// sessionCookie holds the id of a session.
const sessionCookie = "pool_session"

// Get returns the request's session, loaded once per request.
func (s *store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New returns the session that the request's cookie names, or an empty one
// (IsNew) when there is none or it has ended. An error is a database error.
func (s *store) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	session.Options = &sessions.Options{
		Path:     "/",
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	}
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	values, lives, err := s.load(r.Context(), cookie.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return session, nil
	}
	if err != nil {
		return session, err
	}
	session.ID, session.IsNew = cookie.Value, false
	for k, v := range values {
		session.Values[k] = v
	}
	session.Values[keyLife{}] = lives
	return session, nil
}

// Save writes the session and its cookie. Options.MaxAge < 0 ends it. An
// empty ID gets a new one: that is how the id is rotated at login.
func (s *store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge < 0 {
		if err := s.end(r.Context(), session.ID); err != nil {
			return err
		}
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return nil
	}
	values := map[string]string{}
	for k, v := range session.Values {
		if k == (keyLife{}) {
			continue
		}
		key, ok1 := k.(string)
		value, ok2 := v.(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("save session: value %v is not a string", k)
		}
		values[key] = value
	}
	if session.ID == "" {
		session.ID = newSessionID()
	}
	if err := s.write(r, session.ID, values); err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// touch notes that a person used the session. Polls and streams do not.
func (s *store) touch(ctx context.Context, session *sessions.Session) error {
	now, l := s.now(), lifeOf(session)
	if now.Sub(l.seen) < seenStep {
		return nil
	}
	l.seen = now
	session.Values[keyLife{}] = l
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE web_session SET seen_at = ? WHERE id_hash = ?`, now.UnixMilli(), idHash(session.ID))
		return err
	})
}

// load returns the values of a living session, or sql.ErrNoRows.
func (s *store) load(ctx context.Context, id string) (map[string]string, life, error) {
	now := s.now()
	var data []byte
	var seen, over int64
	err := s.db.Reader().QueryRowContext(ctx, `
		SELECT data, seen_at, expires_at
		  FROM web_session
		 WHERE id_hash    = ?
		   AND expires_at > ?
		   AND seen_at    > ?`,
		idHash(id), now.UnixMilli(), now.Add(-sessionIdle).UnixMilli()).Scan(&data, &seen, &over)
	if err != nil {
		return nil, life{}, fmt.Errorf("load session: %w", err)
	}
	values := map[string]string{}
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, life{}, fmt.Errorf("decode session: %w", err)
	}
	return values, life{time.UnixMilli(seen), time.UnixMilli(over)}, nil
}

// write stores a session and, in the same breath, drops those that ended. A new
// password ends all sessions: one that is based on the old one does not come after.
func (s *store) write(r *http.Request, id string, values map[string]string) error {
	data, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	operator, err := strconv.ParseInt(values[keyOperatorID], 10, 64)
	if err != nil {
		return fmt.Errorf("store session without an operator: %w", err)
	}
	set, err := strconv.ParseInt(values[keyPassword], 10, 64)
	if err != nil {
		return fmt.Errorf("store session without a password: %w", err)
	}
	ctx, now := r.Context(), s.now()
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE expires_at <= ? OR seen_at <= ?`,
			now.UnixMilli(), now.Add(-sessionIdle).UnixMilli())
		if err != nil {
			return err
		}
		stored, err := tx.ExecContext(ctx, `
			INSERT INTO web_session (id_hash, operator, data, created_at, seen_at, expires_at, ip, user_agent)
			SELECT ?, id, ?, ?, ?, ?, ?, ? FROM operator WHERE id = ? AND access_at = ?
			ON CONFLICT (id_hash) DO UPDATE SET data = excluded.data, seen_at = excluded.seen_at`,
			idHash(id), data, now.UnixMilli(), now.UnixMilli(), now.Add(sessionLife).UnixMilli(),
			remoteIP(r).String(), cut(r.UserAgent(), 200), operator, set)
		return unlessSuperseded(stored, err)
	})
	if err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// end deletes the session, so that its cookie opens nothing any more.
func (s *store) end(ctx context.Context, id string) error {
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE id_hash = ?`, idHash(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func newSessionID() string {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// shortID is what people see of a session: enough to tell theirs apart.
func shortID(hash []byte) string { return hex.EncodeToString(hash)[:6] }

func idHash(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
