package appliance

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const nextPassword = "Another horse 8"

// peopled is a box that anna has set up, its folder, and anna.
func peopled(t *testing.T) (a *Appliance, dir string, anna Operator) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"operator":{"user":"anna","password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir)
	return a, dir, a.person(t, "anna").Operator
}

// person is the operator with a name.
func (a *Appliance) person(t *testing.T, name string) Person {
	t.Helper()
	all, err := a.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no %s among %+v", name, all)
	return Person{}
}

// session stores one, as a browser that signs in has it.
func (a *Appliance) session(t *testing.T, op Operator, id string) {
	t.Helper()
	err := a.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `
			INSERT INTO web_session (id_hash, operator, data, created_at, seen_at, expires_at, ip, user_agent)
			VALUES (?, ?, x'', 0, 0, 0, '', '')`, []byte(strings.Repeat(id, 32)), op.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetPassword(t *testing.T) {
	ctx := t.Context()
	if _, _, err := SetPassword(ctx, t.TempDir(), "", goodPassword); err == nil {
		t.Error("a password was set where there is no box")
	}
	a, dir, anna := peopled(t)
	a.session(t, anna, "a")
	if _, _, err := SetPassword(ctx, dir, "", "short"); err == nil {
		t.Error("a weak password was taken")
	}
	if user, added, err := SetPassword(ctx, dir, "", nextPassword); err != nil || user != "anna" || added {
		t.Fatalf("%q, %v, %v", user, added, err)
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("old password: %v", err)
	}
	if _, _, err := a.Login(ctx, "anna", nextPassword, "::1"); err != nil {
		t.Errorf("new password: %v", err)
	}
	if n := a.person(t, "anna").Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}

	if user, added, err := SetPassword(ctx, dir, "bert", nextPassword); err != nil || user != "bert" || !added {
		t.Fatalf("%q, %v, %v", user, added, err)
	}
	if _, _, err := SetPassword(ctx, dir, "", goodPassword); !errors.Is(err, ErrWhichOperator) {
		t.Errorf("nobody was named of two: %v", err)
	}
	if user, added, err := SetPassword(ctx, dir, "ANNA", goodPassword); err != nil || user != "anna" || added {
		t.Errorf("%q, %v, %v", user, added, err)
	}
	if _, _, err := a.Login(ctx, "bert", nextPassword, "::1"); err != nil {
		t.Errorf("the other one's password: %v", err)
	}
}

func TestPeople(t *testing.T) {
	ctx := t.Context()
	a, _, anna := peopled(t)
	for name, try := range map[string]func() error{
		"the last one is removed":  func() error { return a.RemoveOperator(ctx, anna, "anna", "") },
		"a weak password":          func() error { return a.AddOperator(ctx, "bert", "short", "anna", "") },
		"a weak one for oneself":   func() error { _, err := a.ChangePassword(ctx, anna, "Password anna 1", KeepTokens, ""); return err },
		"a name that is taken":     func() error { return a.AddOperator(ctx, "ANNA", nextPassword, "anna", "") },
		"a name that is no name":   func() error { return a.AddOperator(ctx, "<b>", nextPassword, "anna", "") },
		"somebody who is not here": func() error { return a.RemoveOperator(ctx, Operator{ID: 9, Name: "bert"}, "anna", "") },
		"an id that is another's":  func() error { return a.RemoveOperator(ctx, Operator{ID: anna.ID, Name: "bert"}, "anna", "") },
		"a password of nobody": func() error {
			_, err := a.ChangePassword(ctx, Operator{ID: 9, Name: "bert"}, nextPassword, KeepTokens, "")
			return err
		},
	} {
		if _, ok := errors.AsType[*PersonError](try()); !ok {
			t.Errorf("%s: %v, want a PersonError", name, try())
		}
	}
	if log, err := a.AuditLog(ctx, 10); err != nil || len(log) != 1 {
		t.Errorf("audit log %+v, %v; want the set-up only", log, err)
	}

	if err := a.AddOperator(ctx, "bert", nextPassword, "anna", "192.168.1.9"); err != nil {
		t.Fatal(err)
	}
	bert := a.person(t, "bert").Operator
	a.session(t, anna, "a")
	a.session(t, bert, "b")
	a.session(t, bert, "c")
	if n := a.person(t, "bert").Sessions; n != 2 {
		t.Errorf("bert has %d sessions, want 2", n)
	}
	if _, err := a.ChangePassword(ctx, bert, goodPassword, KeepTokens, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(ctx, "bert", goodPassword, "::1"); err != nil {
		t.Error(err)
	}
	if a.person(t, "bert").Sessions != 0 || a.person(t, "anna").Sessions != 1 {
		t.Error("a new password ends that person's sessions, and only those")
	}
	a.session(t, bert, "d")
	if err := a.RemoveOperator(ctx, anna, "bert", ""); err != nil {
		t.Fatal(err)
	}
	if a.sessions(ctx, t) != 1 || a.person(t, "bert").Sessions != 1 {
		t.Error("anna's session outlived her")
	}
	if err := a.Reauthenticate(ctx, anna.ID, goodPassword, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("anna is still believed: %v", err)
	}

	log, err := a.AuditLog(ctx, 20)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range log {
		if e.Action != "login" && e.Action != "reauthenticate" {
			did = append(did, e.Actor+" "+e.Action+" "+e.Object)
		}
	}
	if got, want := strings.Join(did, ", "), "bert operator.remove anna, bert password bert, anna operator.add bert, anna setup "; got != want {
		t.Errorf("audit log %q, want %q", got, want)
	}
}

func (a *Appliance) sessions(ctx context.Context, t *testing.T) (n int) {
	t.Helper()
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM web_session`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNamesOfTheProgram: nobody signs in as what the books call a part of the
// program.
func TestNamesOfTheProgram(t *testing.T) {
	a := setUpBox(t)
	for _, name := range []string{"rule", "Schedule", "terminal", "unknown"} {
		err := a.AddOperator(t.Context(), name, "Correct horse 7 staple", "anna", "::1")
		if _, refused := errors.AsType[*PersonError](err); !refused || !strings.Contains(err.Error(), "part of the program") {
			t.Errorf("an operator %s: %v", name, err)
		}
	}
}

// When a password was set tells it from the next one, whatever the clock does.
func TestPasswordsDiffer(t *testing.T) {
	a, _, anna := peopled(t)
	ctx := t.Context()
	before := time.Time{}
	for _, password := range []string{goodPassword, nextPassword, goodPassword} {
		set, err := a.ChangePassword(ctx, anna, password, KeepTokens, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, since, err := a.Login(ctx, "anna", password, "::1"); err != nil || !since.Equal(set) || !since.After(before) {
			t.Errorf("signed in with a password of %v, %v; set at %v after %v", since, err, set, before)
		}
		before = set.Add(time.Hour)
		err = a.db.Update(ctx, func(tx *sql.Tx) error { // the clock was an hour ahead
			_, err := tx.ExecContext(ctx, `UPDATE operator SET access_at = ?`, before.UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
