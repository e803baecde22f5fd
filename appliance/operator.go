package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

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

// passwordCost are the argon2id parameters: OWASP's 19 MiB, 2 passes, 1 lane.
func passwordCost() *argon2id.Params {
	return &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

const (
	minPassword = 12  // characters
	maxPassword = 128 // characters
)

// CheckPassword returns nil when a password is good enough for the operator, or
// an error that says in a sentence what it lacks.
func CheckPassword(password, user string) error {
	n := utf8.RuneCountInString(password)
	if !utf8.ValidString(password) || n < minPassword || n > maxPassword {
		return fmt.Errorf("password has %d characters; give it %d to %d", n, minPassword, maxPassword)
	}
	var upper, special bool
	for _, r := range password {
		upper = upper || unicode.IsUpper(r)
		special = special || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	switch {
	case !upper:
		return errors.New("password has no upper-case letter; add one")
	case !special:
		return errors.New("password has no special character; add one, a blank for instance")
	case user != "" && strings.Contains(strings.ToLower(password), strings.ToLower(user)):
		return errors.New("password contains the user name; choose another")
	}
	return nil
}

// HashPassword returns the argon2id hash of a password in PHC format.
func HashPassword(password string) (string, error) {
	hash, err := argon2id.CreateHash(password, passwordCost())
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
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

// try compares a password with the account's hash, or with the dummy when there
// is none. An attempt that others have outrun gets a ThrottledError.
func (g *gate) try(who account, password, hash string, now time.Time) (ok bool, err error) {
	g.hashing.Lock()
	defer g.hashing.Unlock()
	g.mu.Lock()
	err = g.delayed(who, now)
	g.mu.Unlock()
	if err != nil {
		return false, err
	}
	known := hash != ""
	if !known {
		hash = g.dummy
	}
	equal, err := argon2id.ComparePasswordAndHash(password, hash)
	ok = known && equal && err == nil
	g.note(who, ok, now)
	return ok, nil
}

// Login checks a user name and a password. It returns [ErrLogin], a
// [*ThrottledError], or an error of the database. Every attempt is audited. since
// is when the password that was right had been set: checking takes a while, and a
// session may only begin if the operator has no newer one by then.
func (a *Appliance) Login(ctx context.Context, user, password, ip string) (op Operator, since time.Time, err error) {
	var hash string
	var set int64
	err = a.db.Reader().QueryRowContext(ctx,
		`SELECT id, name, password_hash, updated_at FROM operator WHERE name = ?`, user).Scan(&op.ID, &op.Name, &hash, &set)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Operator{}, time.Time{}, fmt.Errorf("read operator: %w", err)
	}
	actor := op.Name
	if actor == "" {
		actor = "unknown" // what was typed may be a password in the wrong field
	}
	if err := a.checkSecret(ctx, user, actor, password, hash, "login", ip); err != nil {
		return Operator{}, time.Time{}, err
	}
	return op, time.UnixMilli(set), nil
}

// Reauthenticate checks the password of a signed-in operator again, before
// money moves. The errors are those of [Appliance.Login].
func (a *Appliance) Reauthenticate(ctx context.Context, operator int64, password, ip string) error {
	var name, hash string
	err := a.db.Reader().QueryRowContext(ctx,
		`SELECT name, password_hash FROM operator WHERE id = ?`, operator).Scan(&name, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLogin
	}
	if err != nil {
		return fmt.Errorf("read operator: %w", err)
	}
	return a.checkSecret(ctx, name, name, password, hash, "reauthenticate", ip)
}

func (a *Appliance) checkSecret(ctx context.Context, user, actor, password, hash, action, ip string) error {
	now := time.Now()
	who := a.gate.account(user, ip)
	if err := a.gate.admit(who, ip, now); err != nil {
		return err
	}
	ok, err := a.gate.try(who, password, hash, now)
	if err != nil {
		return err
	}
	if ok {
		a.gate.trust(user, ip)
	}
	result := "ok"
	if !ok {
		result = "wrong name or password"
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: action, Result: result, IP: ip}); err != nil {
		return err
	}
	if !ok {
		return ErrLogin
	}
	return nil
}
