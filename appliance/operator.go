package appliance

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/time/rate"
)

// Operator is the person with the password.
type Operator struct {
	ID   int64
	Name string
}

// ErrLogin says that the name or the password is wrong, and not which.
var ErrLogin = errors.New("user name or password is wrong")

// ThrottledError says that there were too many wrong passwords.
type ThrottledError struct{ RetryAfter time.Duration }

// Error implements error with a sentence for the page.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many attempts; try again in %d seconds", int(e.RetryAfter.Seconds())+1)
}

// gate slows down guessing: by address, and by account once it was wrong five
// times. It never locks anybody out for good. Passwords are compared one after
// the other, so that many guesses at once wait like as many in a row.
//
// An address from which the right password once came has an account's delay to
// itself: else a stranger who guesses all day would keep the operator out.
type gate struct {
	hashing sync.Mutex // one argon2id at a time: each takes 19 MiB

	mu       sync.Mutex
	byIP     map[string]*rate.Limiter
	failures map[account]failure
	trusted  map[account]bool // from whose address the right password came
	dummy    string           // hash that is compared when the name is unknown, so that both take as long
}

func newLimiters() map[string]*rate.Limiter { return map[string]*rate.Limiter{} }

type failure struct {
	count int
	until time.Time
}

const (
	loginsPerMinute = 10
	freeFailures    = 5
	maxLoginDelay   = time.Minute
	maxGateEntries  = 4096
)

func newGate() (*gate, error) {
	dummy, err := HashPassword("a password that nobody has")
	if err != nil {
		return nil, err
	}
	return &gate{byIP: newLimiters(), failures: map[account]failure{}, trusted: map[account]bool{}, dummy: dummy}, nil
}

// admit returns a ThrottledError while the address or the account must wait.
func (g *gate) admit(who account, ip string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	shrink(g.byIP, func(l *rate.Limiter) bool { return l.TokensAt(now) >= loginsPerMinute })
	limiter := g.byIP[ip]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Every(time.Minute/loginsPerMinute), loginsPerMinute)
		g.byIP[ip] = limiter
	}
	if err := g.delayed(who, now); err != nil {
		return err
	}
	if !limiter.AllowN(now, 1) {
		return &ThrottledError{RetryAfter: time.Minute / loginsPerMinute}
	}
	return nil
}

// account is what wrong passwords count for: a name as seen from a trusted
// address, or from all others together, which is the empty ip.
type account struct{ name, ip string }

// account returns what an attempt counts for.
func (g *gate) account(name, ip string) account {
	g.mu.Lock()
	defer g.mu.Unlock()
	if own := (account{strings.ToLower(name), ip}); g.trusted[own] {
		return own
	}
	return account{name: strings.ToLower(name)}
}

// trust notes that the right password came from an address.
func (g *gate) trust(name, ip string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.trusted) > maxGateEntries {
		clear(g.trusted)
	}
	g.trusted[account{strings.ToLower(name), ip}] = true
}

// shrink keeps a map that strangers fill from growing for ever: beyond
// maxGateEntries it removes what is over, and everything if nothing is.
func shrink[K comparable, V any](m map[K]V, over func(V) bool) {
	if len(m) <= maxGateEntries {
		return
	}
	maps.DeleteFunc(m, func(_ K, v V) bool { return over(v) })
	if len(m) > maxGateEntries {
		clear(m)
	}
}

// delayed returns a ThrottledError while the account must wait. The caller
// holds mu.
func (g *gate) delayed(who account, now time.Time) error {
	if f := g.failures[who]; now.Before(f.until) {
		return &ThrottledError{RetryAfter: f.until.Sub(now)}
	}
	return nil
}

// note remembers how an attempt ended: after five wrong ones the next must wait
// 1, 2, 4 … 60 seconds.
func (g *gate) note(who account, ok bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok {
		delete(g.failures, who)
		return
	}
	shrink(g.failures, func(f failure) bool { return now.After(f.until.Add(maxLoginDelay)) })
	f := g.failures[who]
	f.count++
	if over := f.count - freeFailures; over >= 0 {
		f.until = now.Add(min(time.Second<<min(over, 6), maxLoginDelay))
	}
	g.failures[who] = f
}

// try runs a comparison, one after the other, and notes how it went. An attempt that
// others have outrun gets a ThrottledError. The first half of two is noted only when
// it is wrong.
func (g *gate) try(who account, now time.Time, half bool, right func() (bool, error)) (ok bool, err error) {
	g.hashing.Lock()
	defer g.hashing.Unlock()
	g.mu.Lock()
	err = g.delayed(who, now)
	g.mu.Unlock()
	if err != nil {
		return false, err
	}
	if ok, err = right(); err != nil {
		return false, err
	}
	if !ok || !half {
		g.note(who, ok, now)
	}
	return ok, nil
}

// Login checks a user name and a password. It returns [ErrLogin], a
// [*ThrottledError], or an error of the database; [ErrCode] when the password is
// right and the operator has a second factor, see [Appliance.LoginCode]. Every
// attempt is audited. since is when what lets the operator in had last been
// changed: checking takes a while, and a session may only begin if that is still so.
func (a *Appliance) Login(ctx context.Context, user, password, ip string) (op Operator, since time.Time, err error) {
	var hash string
	var set int64
	var second bool
	err = a.db.Reader().QueryRowContext(ctx, `
		SELECT id, name, password_hash, access_at, EXISTS (SELECT 1 FROM second_factor WHERE operator = id AND confirmed_at IS NOT NULL)
		  FROM operator WHERE name = ?`, user).Scan(&op.ID, &op.Name, &hash, &set, &second)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Operator{}, time.Time{}, fmt.Errorf("read operator: %w", err)
	}
	t := attempt{user: user, actor: op.Name, action: actionLogin, ip: ip, half: second}
	if second {
		t.right = "code needed"
	}
	if t.actor == "" {
		t.actor = "unknown" // what was typed may be a password in the wrong field
	}
	if err := a.attempt(ctx, t, a.password(password, hash)); err != nil {
		return Operator{}, time.Time{}, err
	}
	if second {
		return op, time.UnixMilli(set), ErrCode
	}
	return op, time.UnixMilli(set), nil
}

// LoginCode is the second step of signing in, after [ErrCode]: it checks a code of
// the operator's app, or one for recovery. The errors are those of
// [Appliance.Login], or a [*PersonError] when there is no second factor to check.
func (a *Appliance) LoginCode(ctx context.Context, op Operator, code, ip string) error {
	_, err := a.checkCode(ctx, op, code, actionLogin, ip, false)
	return err
}

// Reauthenticate checks again that a signed-in operator is still there, before
// money moves or a way in changes: by the password, or by a code of the app, which
// has the form of one ([IsCode]). The errors are those of [Appliance.Login].
func (a *Appliance) Reauthenticate(ctx context.Context, operator int64, proof, ip string) error {
	if !IsCode(proof) {
		return a.ProvePassword(ctx, operator, proof, ip)
	}
	op := Operator{ID: operator}
	err := a.db.Reader().QueryRowContext(ctx, `SELECT name FROM operator WHERE id = ?`, operator).Scan(&op.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLogin
	}
	if err != nil {
		return fmt.Errorf("read operator: %w", err)
	}
	_, err = a.checkCode(ctx, op, proof, "reauthenticate", ip, false)
	if errors.Is(err, errNoFactor) {
		return a.ProvePassword(ctx, operator, proof, ip) // it is no password either, and counts as a wrong one
	}
	return err
}

// ProvePassword is Reauthenticate where only the password will do. Of an operator who
// has a second factor it makes up for no wrong code, as at the login: else whoever
// knows it, in a session of theirs, could go on guessing the code for as long as
// they like, five at a time.
func (a *Appliance) ProvePassword(ctx context.Context, operator int64, password, ip string) error {
	var name, hash string
	var second bool
	err := a.db.Reader().QueryRowContext(ctx, `
		SELECT name, password_hash, EXISTS (SELECT 1 FROM second_factor WHERE operator = id AND confirmed_at IS NOT NULL)
		  FROM operator WHERE id = ?`, operator).Scan(&name, &hash, &second)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLogin
	}
	if err != nil {
		return fmt.Errorf("read operator: %w", err)
	}
	return a.attempt(ctx, attempt{user: name, actor: name, action: "reauthenticate", ip: ip, half: second}, a.password(password, hash))
}

// actionLogin is how the audit log calls a sign-in.
const actionLogin = "login"

// attempt is somebody's try to prove who they are.
type attempt struct {
	user   string // what the tries count for
	actor  string // what the audit log says
	action string
	ip     string
	right  string // what the audit log says of a right one; empty: ok
	wrong  string // and of a wrong one; empty: name or password
	half   bool   // what is right is only one of two, and makes up for no wrong ones
	quiet  bool   // what is right gets its audit row from the caller
}

// attempt lets somebody through the gate who is right, and writes down who was.
func (a *Appliance) attempt(ctx context.Context, t attempt, right func() (bool, error)) error {
	now := time.Now()
	who := a.gate.account(t.user, t.ip)
	if err := a.gate.admit(who, t.ip, now); err != nil {
		return err
	}
	ok, err := a.gate.try(who, now, t.half, right)
	if err != nil {
		return err
	}
	e := AuditEntry{Actor: t.actor, Action: t.action, Result: cmp.Or(t.right, "ok"), IP: t.ip}
	if !ok {
		e.Result = cmp.Or(t.wrong, "wrong name or password")
		if t.action == actionLogin {
			a.loginFailures.Add(1)
		}
		return errors.Join(a.auditFailure(ctx, e), ErrLogin)
	}
	if !t.half {
		a.gate.trust(t.user, t.ip)
	}
	if t.quiet {
		return nil
	}
	return a.Audit(ctx, e)
}

// password compares with an operator's hash, or with the dummy when there is none,
// so that both take as long.
func (a *Appliance) password(password, hash string) func() (bool, error) {
	return func() (bool, error) {
		equal, err := argon2id.ComparePasswordAndHash(password, cmp.Or(hash, a.gate.dummy))
		return equal && hash != "" && err == nil, nil
	}
}
