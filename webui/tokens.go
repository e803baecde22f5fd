package webui

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Scripts have no cookie: they show a token, in the header Authorization and
// nowhere else, on the routes of the API and on no page. There are two kinds.
//
//	login  a JWT (HS256) for an hour, from POST /api/auth/login. It may do what its
//	       operator may; money asks for the password, or a code, all the same.
//	read   "dmpool_" and 32 random bytes, made on the sign-in page, until it is
//	       revoked. It may look, where the route table says readers.
//
// Each is a row of the table api_token, which belongs to this file and holds the
// hash only; without its row a token is worth nothing, whatever its signature
// says. The key of the JWTs lives as long as the program: after a restart scripts
// sign in again.
type tokens struct {
	db  *sqlite.DB
	key []byte
	now func() time.Time
}

// scope is what a token may do.
type scope string

const (
	scopeLogin scope = "login"
	scopeRead  scope = "read"
)

const (
	loginTokenLife = time.Hour
	readPrefix     = "dmpool_"
	jwtAudience    = "dmpool-api"
	maxTokens      = 50 // that one operator may have; more would be a script gone wild
)

// tokenLine is a token as its operator sees it.
type tokenLine struct {
	ID         int64
	Name       string
	Scope      string
	Made, Used time.Time // Used is zero when it never was
	Ends       time.Time // zero: when it is revoked
	IP         string
	Short      string // by which the audit log names it
}

// bearer is the token that a request to the API shows, if it shows one.
func bearer(r *http.Request) (token string, ok bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(kind, "Bearer") && isAPI(r)
}

// identifyToken finds out whose token it is. Wrong ones are counted by address.
func (s *site) identifyToken(r *http.Request, token string) (caller, error) {
	who, err := s.tokens.who(r.Context(), token)
	if errors.Is(err, sql.ErrNoRows) {
		if left := s.limits.tokens.take(remoteIP(r)); left.Wait > 0 {
			return caller{}, throttled(left.Wait)
		}
		return caller{}, &problem{Status: http.StatusUnauthorized, Code: "signed-out", Detail: "This token is not valid, or not any more."}
	}
	who.IP = remoteIP(r)
	return who, err
}

// who returns the operator of a token that is in force, or sql.ErrNoRows.
func (t *tokens) who(ctx context.Context, token string) (caller, error) {
	secret, kind := token, scopeRead
	if !strings.HasPrefix(token, readPrefix) {
		claims := jwt.RegisteredClaims{}
		_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil },
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(jwtAudience),
			jwt.WithExpirationRequired(), jwt.WithTimeFunc(t.now))
		if err != nil {
			return caller{}, fmt.Errorf("%w: %w", sql.ErrNoRows, err)
		}
		secret, kind = claims.ID, scopeLogin
	}
	hash, now := idHash(secret), t.now()
	who := caller{scope: kind, Session: shortID(hash)}
	var id int64
	var found []byte
	var used sql.NullInt64
	err := t.db.Reader().QueryRowContext(ctx, `
		SELECT t.id, t.hash, t.used_at, o.id, o.name
		  FROM api_token t JOIN operator o ON o.id = t.operator
		 WHERE t.hash = ? AND t.kind = ? AND (t.expires_at IS NULL OR t.expires_at > ?)`, hash, kind, now.UnixMilli()).
		Scan(&id, &found, &used, &who.Operator.ID, &who.Operator.Name)
	if err != nil {
		return caller{}, fmt.Errorf("look for token: %w", err)
	}
	if subtle.ConstantTimeCompare(found, hash) != 1 {
		return caller{}, sql.ErrNoRows
	}
	if now.UnixMilli()-used.Int64 < seenStep.Milliseconds() {
		return who, nil
	}
	return who, t.update(ctx, `UPDATE api_token SET used_at = ? WHERE id = ?`, now.UnixMilli(), id)
}

func (t *tokens) update(ctx context.Context, query string, args ...any) error {
	err := t.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	return nil
}

// logIn makes a token for an operator who has just proved to be it, with what was
// in force since; see box.Login.
func (t *tokens) logIn(ctx context.Context, op operator, since time.Time, ip string) (string, error) {
	now, id := t.now(), rand.Text()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		ID: id, Subject: strconv.FormatInt(op.ID, 10), Audience: jwt.ClaimStrings{jwtAudience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(loginTokenLife)),
	}).SignedString(t.key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	err = t.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM api_token WHERE expires_at <= ?`, now.UnixMilli()); err != nil {
			return err
		}
		stored, err := tx.ExecContext(ctx, `
			INSERT INTO api_token (operator, kind, name, hash, created_at, expires_at, ip)
			SELECT id, ?, '', ?, ?, ?, ? FROM operator WHERE id = ? AND access_at = ?`,
			scopeLogin, idHash(id), now.UnixMilli(), now.Add(loginTokenLife).UnixMilli(), ip, op.ID, since.UnixMilli())
		return unlessSuperseded(stored, err)
	})
	if err != nil {
		return "", fmt.Errorf("store token: %w", err)
	}
	return token, nil
}

// make makes a token that may look, and has its audit row written with it.
func (t *tokens) make(ctx context.Context, who caller, name string, note func(tx *sql.Tx, object string) error) (string, error) {
	token := readPrefix + newSessionID()
	err := t.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM api_token WHERE operator = ? AND kind = ?`, who.Operator.ID, scopeRead).Scan(&n)
		if err != nil {
			return err
		}
		if n >= maxTokens {
			return refused("There are too many tokens. Revoke those that nobody uses.")
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO api_token (operator, kind, name, hash, created_at, ip) VALUES (?, ?, ?, ?, ?, ?)`,
			who.Operator.ID, scopeRead, name, idHash(token), t.now().UnixMilli(), who.IP.String())
		if err != nil {
			return err
		}
		return note(tx, name)
	})
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return token, nil
}

// revoke ends one of one's own tokens.
func (t *tokens) revoke(ctx context.Context, who caller, id int64, note func(tx *sql.Tx, object string) error) error {
	err := t.db.Update(ctx, func(tx *sql.Tx) error {
		var name string
		err := tx.QueryRowContext(ctx, `DELETE FROM api_token WHERE id = ? AND operator = ? RETURNING name`, id, who.Operator.ID).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it is over already
		}
		if err != nil {
			return err
		}
		return note(tx, name)
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// readers counts an operator's tokens that may look.
func (t *tokens) readers(ctx context.Context, op operator) (n int, err error) {
	err = t.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM api_token WHERE operator = ? AND kind = ?`, op.ID, scopeRead).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count tokens: %w", err)
	}
	return n, nil
}

// list returns an operator's tokens that are in force.
func (t *tokens) list(ctx context.Context, op operator) ([]tokenLine, error) {
	rows, err := t.db.Reader().QueryContext(ctx, `
		SELECT id, name, kind, hash, created_at, COALESCE(used_at, 0), COALESCE(expires_at, 0), ip
		  FROM api_token
		 WHERE operator = ? AND (expires_at IS NULL OR expires_at > ?)
		 ORDER BY id DESC`, op.ID, t.now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	lines, err := sqlite.Collect(rows, func(r *sql.Rows) (tokenLine, error) {
		var l tokenLine
		var hash []byte
		var made, used, ends int64
		err := r.Scan(&l.ID, &l.Name, &l.Scope, &hash, &made, &used, &ends, &l.IP)
		l.Made, l.Used, l.Ends = time.UnixMilli(made), moment(used), moment(ends)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return lines, nil
}

// moment is a time in the tables, where 0 and NULL are none.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
