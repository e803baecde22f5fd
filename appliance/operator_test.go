package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // opens a database behind the appliance's back
)

// setVersion changes a closed database's schema version.
func setVersion(t *testing.T, file string, version int) {
	t.Helper()
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		t.Fatal(err)
	}
}

func TestLogin(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"operator":{"user":"anna","password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)

	op, _, err := a.Login(ctx, "Anna", goodPassword, "192.168.1.9")
	if err != nil || op.Name != "anna" {
		t.Fatalf("%+v, %v", op, err)
	}
	if err := a.Reauthenticate(ctx, op.ID, goodPassword, "192.168.1.9"); err != nil {
		t.Error(err)
	}
	if err := a.Reauthenticate(ctx, op.ID, "wrong", "192.168.1.9"); !errors.Is(err, ErrLogin) {
		t.Errorf("wrong password: %v", err)
	}
	if _, _, err := a.Login(ctx, "bert", goodPassword, "192.168.1.9"); !errors.Is(err, ErrLogin) {
		t.Errorf("unknown name: %v", err)
	}
	log, err := a.AuditLog(ctx, 10)
	if err != nil || len(log) != 5 {
		t.Fatalf("%d audit rows, %v", len(log), err)
	}
	for _, e := range log {
		if strings.Contains(fmt.Sprint(e), goodPassword) || strings.Contains(fmt.Sprint(e), "bert") {
			t.Errorf("the audit log tells what was typed: %+v", e)
		}
	}
}

func TestGateSlowsGuessingAndNeverLocksOut(t *testing.T) {
	g := &gate{byIP: nil, failures: map[account]failure{}}
	now := time.Unix(1_000_000, 0)
	wait := func() time.Duration {
		// Each attempt comes from an address of its own, so only the account counts.
		g.byIP = nil
		return admitWait(t, g, "anna", "10.0.0.1", now)
	}
	for i := range freeFailures {
		if d := wait(); d != 0 {
			t.Fatalf("attempt %d waits %v", i, d)
		}
		g.note(g.account("Anna", ""), false, now)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if d := wait(); d != want*time.Second {
			t.Errorf("waits %v, want %v", d, want*time.Second)
		}
		now = now.Add(want * time.Second)
		if d := wait(); d != 0 {
			t.Errorf("still waits %v", d)
		}
		g.note(g.account("anna", ""), false, now)
	}
	now = now.Add(time.Minute)
	g.note(g.account("anna", ""), true, now)
	if d := wait(); d != 0 {
		t.Errorf("waits %v after the right password", d)
	}
}

func TestGateCountsByAddress(t *testing.T) {
	g := &gate{failures: map[account]failure{}}
	now := time.Unix(1_000_000, 0)
	for i := range loginsPerMinute {
		if d := admitWait(t, g, fmt.Sprint("user", i), "10.0.0.1", now); d != 0 {
			t.Fatalf("attempt %d waits %v", i, d)
		}
	}
	if d := admitWait(t, g, "another", "10.0.0.1", now); d == 0 {
		t.Error("an eleventh attempt in the same minute does not wait")
	}
	if d := admitWait(t, g, "another", "10.0.0.2", now); d != 0 {
		t.Errorf("another address waits %v", d)
	}
}

// Inventing names does not make the gate forget whom it slows down.
func TestGateForgetsWhatIsOverFirst(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	g := &gate{byIP: newLimiters(), failures: map[account]failure{}}
	for range freeFailures + 4 {
		g.note(account{name: "anna"}, false, now)
	}
	for i := range maxGateEntries {
		g.note(account{name: fmt.Sprint(i)}, false, now.Add(-time.Hour))
	}
	g.note(account{name: "one more"}, false, now)
	if err := g.delayed(account{name: "anna"}, now); err == nil {
		t.Error("the delay of the account is gone")
	}
	if len(g.failures) > 3 {
		t.Errorf("%d entries are left", len(g.failures))
	}
}

func admitWait(t *testing.T, g *gate, name, ip string, now time.Time) time.Duration {
	t.Helper()
	if g.byIP == nil {
		g.byIP = newLimiters()
	}
	err := g.admit(g.account(name, ip), ip, now)
	var throttled *ThrottledError
	if err != nil && !errors.As(err, &throttled) {
		t.Fatal(err)
	}
	if throttled == nil {
		return 0
	}
	return throttled.RetryAfter
}

func TestListenNamesWhoHasThePort(t *testing.T) {
	ctx := t.Context()
	first, err := Listen(ctx, "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	addr := first.Addr().(*net.TCPAddr).String()
	_, err = Listen(ctx, "the web pages", addr, "--http")
	for _, want := range []string{addr, "the web pages", "is taken", "--http"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell %q", err, want)
		}
	}
}

// Guesses from many addresses at once get no further than the same in a row.
func TestLoginAtOnce(t *testing.T) {
	g, err := newGate()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	const guesses = 20
	for i := range guesses {
		if err := g.admit(account{name: "anna"}, fmt.Sprintf("192.168.1.%d", i), now); err != nil {
			t.Fatal(err)
		}
	}
	compared := make(chan bool, guesses)
	for range guesses {
		go func() {
			_, err := g.try(account{name: "anna"}, now, false, func() (bool, error) { return false, nil })
			compared <- err == nil
		}()
	}
	n := 0
	for range guesses {
		if <-compared {
			n++
		}
	}
	if n != freeFailures {
		t.Errorf("%d of %d guesses were compared, want %d", n, guesses, freeFailures)
	}
}

// A stranger's guesses do not keep out the operator, who signed in from another
// address before.
func TestStrangersDoNotLockOut(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(ctx, dir, parse(t, `{"operator":{"user":"anna","password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	op, _, err := a.Login(ctx, "anna", goodPassword, "192.168.1.9")
	if err != nil {
		t.Fatal(err)
	}
	var throttled *ThrottledError
	for i := range 20 {
		_, _, err := a.Login(ctx, "anna", "wrong", fmt.Sprintf("192.168.1.%d", 100+i))
		if errors.As(err, &throttled) {
			break
		}
	}
	if throttled == nil {
		t.Fatal("twenty wrong passwords are not slowed down")
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "192.168.1.100"); !errors.As(err, &throttled) {
		t.Errorf("right password from a stranger's address: %v", err)
	}
	if err := a.Reauthenticate(ctx, op.ID, goodPassword, "192.168.1.9"); err != nil {
		t.Errorf("the operator approves a payout: %v", err)
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "192.168.1.9"); err != nil {
		t.Errorf("the operator signs in again: %v", err)
	}
}

// Whoever hangs up while the password is compared is in the audit log like everybody
// else: with half of the connection still open they would learn how it went.
func TestAttemptIsAuditedWithoutAnAnswer(t *testing.T) {
	a, _, _ := peopled(t)
	for _, tc := range []struct {
		right  bool
		want   error
		result string
	}{{false, ErrLogin, "wrong name or password"}, {true, nil, "ok"}} {
		gone, hangUp := context.WithCancel(t.Context())
		err := a.attempt(gone, attempt{user: "anna", actor: "anna", action: "login", ip: "192.168.1.66"}, func() (bool, error) {
			hangUp()
			return tc.right, nil
		})
		if !errors.Is(err, tc.want) {
			t.Errorf("%v, want %v", err, tc.want)
		}
		if e := lastAudit(t, a); e.Action != "login" || e.Result != tc.result || e.IP != "192.168.1.66" {
			t.Errorf("audit %+v, want %q", e, tc.result)
		}
	}
}
