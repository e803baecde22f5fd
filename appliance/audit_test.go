package appliance

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// behind changes a box's database as somebody does who has the file.
func (a *Appliance) behind(t *testing.T, queries ...string) {
	t.Helper()
	err := a.db.Update(t.Context(), func(tx *sql.Tx) error {
		for _, q := range queries {
			if _, err := tx.ExecContext(t.Context(), q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ASVS 16.4.2: whoever changes the log behind the program's back is found out.
func TestAuditProof(t *testing.T) {
	ctx := t.Context()
	unguarded := []string{`DROP TRIGGER audit_fixed`, `DROP TRIGGER audit_kept`, `DROP TRIGGER audit_chained`}
	for name, tc := range map[string]struct {
		change string
		broken int64
	}{
		"nothing":         {`SELECT 1`, 0},
		"actor":           {`UPDATE audit SET actor = 'mallory' WHERE seq = 3`, 3},
		"detail":          {`UPDATE audit SET detail = '{"sats":"1"}' WHERE seq = 4`, 4},
		"hash":            {`UPDATE audit SET hash = zeroblob(32) WHERE seq = 2`, 2},
		"one taken out":   {`DELETE FROM audit WHERE seq = 3`, 3},
		"the first gone":  {`DELETE FROM audit WHERE seq = 1`, 1},
		"the newest gone": {`DELETE FROM audit WHERE seq > 4`, 5},
		"numbered anew":   {`DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			a, _, _ := peopled(t)
			for i := range 5 {
				if err := a.Audit(ctx, AuditEntry{Actor: "anna", Action: "settings", Object: fmt.Sprint(i), Result: "ok", Detail: map[string]string{"fee": "1 → 2"}}); err != nil {
					t.Fatal(err)
				}
			}
			if p, err := a.AuditProof(ctx, false); err != nil || p.To != 6 || p.Broken != 0 {
				t.Fatalf("as written: %+v, %v", p, err)
			}
			a.behind(t, append(unguarded, tc.change)...)
			p, err := a.AuditProof(ctx, true)
			if err != nil || p.Broken != tc.broken {
				t.Errorf("%+v, %v, want entry %d found", p, err, tc.broken)
			}
			if _, err := a.checkAudit(ctx); (err != nil) != (tc.broken != 0) {
				t.Errorf("the job says %v", err)
			}
		})
	}
}

// A page asks for the new entries only, and sees when the last ones went.
func TestAuditProofGoesOn(t *testing.T) {
	ctx := t.Context()
	a, _, _ := peopled(t)
	for i := range 3 {
		if err := a.Audit(ctx, AuditEntry{Actor: "anna", Action: "x", Result: "ok"}); err != nil {
			t.Fatal(err)
		}
		if p, err := a.AuditProof(ctx, false); err != nil || p.To != int64(i+2) || p.Broken != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	a.behind(t, `DROP TRIGGER audit_kept`, `DELETE FROM audit WHERE seq = 4`)
	if p, err := a.AuditProof(ctx, false); err != nil || p.Broken != 4 {
		t.Errorf("the newest entry is gone: %+v, %v", p, err)
	}
}

// A stranger who fails for days makes a few entries, and none is lost count of.
func TestFailuresAreCounted(t *testing.T) {
	ctx := t.Context()
	a, _, _ := peopled(t)
	fail := func(ip string) {
		t.Helper()
		if err := a.auditFailure(ctx, AuditEntry{Actor: "unknown", Action: "login", Result: "wrong name or password", IP: ip}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		log, err := a.FindAudit(ctx, AuditFilter{Action: "login", Failed: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(log)
	}
	for range 500 {
		fail("192.168.1.77")
	}
	if n := count(); n != 1 {
		t.Errorf("%d entries, want the first", n)
	}
	a.behind(t, `UPDATE audit_repeat SET since = since - 3600000`)
	if err := a.closeRepeats(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	log, err := a.FindAudit(ctx, AuditFilter{Action: "login", Limit: 10})
	if err != nil || len(log) != 2 || log[0].Detail[DetailTimes] != "499" || log[0].IP != "192.168.1.77" {
		t.Fatalf("%+v, %v", log, err)
	}
	for i := range 300 {
		fail(fmt.Sprintf("10.0.%d.%d", i/200, i%200))
	}
	if n := count(); n > 2+maxRepeats+1 {
		t.Errorf("%d entries from 300 addresses", n)
	}
	if p, err := a.AuditProof(ctx, true); err != nil || p.Broken != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestFindAudit(t *testing.T) {
	ctx := t.Context()
	a, _, _ := peopled(t)
	base := time.Now().Add(-10 * time.Hour).Truncate(time.Millisecond)
	for i, e := range []AuditEntry{
		{Actor: "anna", Action: "login", Result: "ok"},
		{Actor: "bert", Action: "login", Result: "wrong code"},
		{Actor: "anna", Action: "settings", Result: "ok"},
	} {
		e.At = base.Add(time.Duration(i) * time.Hour)
		if err := a.Audit(InSession(ctx, "abc123"), e); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		f    AuditFilter
		want string
	}{
		"all":    {AuditFilter{}, "4 3 2 1"},
		"actor":  {AuditFilter{Actor: "bert"}, "3"},
		"action": {AuditFilter{Action: "login"}, "3 2"},
		"failed": {AuditFilter{Failed: true}, "3"},
		"ok":     {AuditFilter{OK: true, Actor: "anna"}, "4 2 1"},
		"from":   {AuditFilter{From: base.Add(time.Hour), To: base.Add(2 * time.Hour)}, "3"},
		"before": {AuditFilter{Before: 3}, "2 1"},
		"limit":  {AuditFilter{Limit: 1}, "4"},
	} {
		if tc.f.Limit == 0 {
			tc.f.Limit = 100
		}
		log, err := a.FindAudit(ctx, tc.f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range log {
			got = append(got, fmt.Sprint(e.Seq))
			if e.Seq > 1 && e.Detail[DetailSession] != "abc123" {
				t.Errorf("entry %d does not name its session: %v", e.Seq, e.Detail)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
	actors, actions, err := a.AuditNames(ctx)
	if err != nil || strings.Join(actors, " ") != "anna bert" || strings.Join(actions, " ") != "login settings setup" {
		t.Errorf("%v, %v, %v", actors, actions, err)
	}
}

// ASVS 16.4.1: what somebody typed makes no second line, and nothing else either.
func TestAuditIsNoPlaceForWriting(t *testing.T) {
	a, _, _ := peopled(t)
	if _, _, err := a.Login(t.Context(), "x\n2026-11-22 admin payout.approve ok", "y", "::1"); !errors.Is(err, ErrLogin) {
		t.Fatal(err)
	}
	if e := lastAudit(t, a); e.Actor != "unknown" || strings.Contains(fmt.Sprint(e), "payout.approve") {
		t.Errorf("%+v", e)
	}
}

// Two programs that write at a time, a daemon and "dmpool passwd", make one chain.
func TestTwoWritersMakeOneChain(t *testing.T) {
	ctx := t.Context()
	a, dir, _ := peopled(t)
	const each = 25
	var all sync.WaitGroup
	for i := range each {
		all.Go(func() {
			if err := a.Audit(ctx, AuditEntry{Actor: "anna", Action: "settings", Object: fmt.Sprint(i), Result: "ok"}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			err := atTerminal(ctx, dir, func(tx *sql.Tx) error {
				return writeAudit(ctx, tx, AuditEntry{Actor: "terminal", Action: "password", Object: fmt.Sprint(i), Result: "ok"})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if p, err := a.AuditProof(ctx, true); err != nil || p.To != 1+2*each || p.Broken != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}
