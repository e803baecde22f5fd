package webui

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"
)

// safe is what the golden box knows of ways in. Its code is always the same, so
// that golden data stay so.
type safe struct {
	on       bool
	needed   bool
	proposed bool
	codes    int
	fail     error // of a second factor that cannot be read
	notes    []string
	audit    []auditLine
	proof    auditProof
	session  string        // in which the last question was asked
	revoked  bool          // the tokens were to end with the last change
	again    time.Duration // by which the last change is not the newest any more
	full     bool          // nothing can be written to the audit log
}

const (
	goldenCode     = "287 082"
	goldenRecovery = "ABCD-EFGH-JKMN-PQRS"
	goldenSecret   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
)

func wrongProof() error { return &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword} }

func (g *golden) Login(_ context.Context, user, pass, _ string) (operator, time.Time, error) {
	switch {
	case user != "admin" || pass != password:
		return operator{}, time.Time{}, wrongProof()
	case g.safe.on:
		return operator{ID: 1, Name: "admin"}, passwordSet, &problem{Status: http.StatusUnauthorized, Code: codeSecondStep}
	}
	return operator{ID: 1, Name: "admin"}, passwordSet, nil
}

func (g *golden) LoginCode(_ context.Context, _ operator, code, _ string) error {
	if g.safe.fail != nil {
		return g.safe.fail
	}
	if !g.safe.on || code != goldenCode && code != goldenRecovery {
		return wrongProof()
	}
	return nil
}

func (g *golden) Reauthenticate(ctx context.Context, op operator, proof, ip string) error {
	if g.safe.on && proof == goldenCode {
		return nil
	}
	return g.ProvePassword(ctx, op, proof, ip)
}

func (g *golden) ProvePassword(_ context.Context, _ operator, pass, _ string) error {
	if pass != password {
		return wrongProof()
	}
	return nil
}

type goldenSession struct{}

func (g *golden) InSession(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, goldenSession{}, id)
}

func (g *golden) Note(ctx context.Context, _ operator, action, object, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.safe.full {
		return unwritten(errors.New("the disk is full"))
	}
	if action == "logout" {
		g.out++
	}
	g.safe.session, _ = ctx.Value(goldenSession{}).(string)
	g.safe.notes = append(g.safe.notes, action+" "+object)
	return nil
}

func (g *golden) NoteIn(ctx context.Context, _ *sql.Tx, op operator, action, object, ip string) error {
	return g.Note(ctx, op, action, object, ip)
}

func (g *golden) Factor(context.Context, operator) (factorState, error) {
	if !g.safe.on {
		return factorState{Needed: g.safe.needed}, nil
	}
	return factorState{Since: noon.Add(-50 * time.Hour), Codes: g.safe.codes, Needed: g.safe.needed}, nil
}

func (g *golden) ProposeFactor(context.Context, operator) (proposal, error) {
	if g.safe.on {
		return proposal{}, refused("There is a second factor already; remove it first.")
	}
	g.safe.proposed = true
	return g.ProposedFactor(context.Background(), operator{})
}

func (g *golden) ProposedFactor(context.Context, operator) (proposal, error) {
	if !g.safe.proposed {
		return proposal{}, refused("This secret was shown too long ago; begin again.")
	}
	return proposal{Secret: goldenSecret, URI: "otpauth://totp/Hill%20&%20Valley:admin?secret=" + goldenSecret}, nil
}

func (g *golden) ConfirmFactor(_ context.Context, _ operator, code string, revoke bool, _ string) ([]string, time.Time, error) {
	switch {
	case !g.safe.proposed:
		return nil, time.Time{}, refused("This secret was shown too long ago; begin again.")
	case code != goldenCode:
		return nil, time.Time{}, wrongProof()
	}
	g.safe.on, g.safe.proposed, g.safe.codes, g.safe.revoked = true, false, 10, revoke
	return []string{goldenRecovery, "0123-4567-89AB-CDEF"}, passwordSet.Add(g.safe.again), nil
}

func (g *golden) KnowsCode(_ context.Context, _ operator, code, _ string) error {
	if !g.safe.on || code != goldenRecovery {
		return wrongProof()
	}
	return nil
}

func (g *golden) RemoveFactor(ctx context.Context, op operator, code string, revoke bool, ip string) (time.Time, error) {
	if err := g.LoginCode(ctx, op, code, ip); err != nil {
		return time.Time{}, err
	}
	g.safe.on, g.safe.revoked = false, revoke
	return passwordSet.Add(g.safe.again), nil
}

func (g *golden) RenewCodes(ctx context.Context, op operator, code, ip string) ([]string, error) {
	if err := g.LoginCode(ctx, op, code, ip); err != nil {
		return nil, err
	}
	return []string{"FRES-HCOD-E123-4567"}, nil
}

// goldenAudit is a log of some days, the newest entry first.
func goldenAudit() []auditLine {
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	return []auditLine{
		{Seq: 7, At: at(time.Minute), Actor: "admin", Action: "payout.approve", Object: "pay:42", Result: "ok", Fine: true, IP: "192.168.1.9", Session: "a1b2c3", Times: 1, Since: at(time.Minute), Detail: []auditDetail{{"sats", "1222300"}}},
		{Seq: 6, At: at(time.Hour), Actor: "unknown", Action: "login", Result: "wrong name or password", IP: "192.168.1.77", Times: 11, Since: at(2 * time.Hour)},
		{Seq: 5, At: at(2 * time.Hour), Actor: "unknown", Action: "login", Result: "wrong name or password", IP: "192.168.1.77", Times: 1, Since: at(2 * time.Hour)},
		{Seq: 4, At: at(3 * time.Hour), Actor: "admin", Action: "settings", Object: "pool", Result: "ok", Fine: true, IP: "192.168.1.9", Session: "a1b2c3", Times: 1, Since: at(3 * time.Hour), Detail: []auditDetail{{"fee_bps", "0 → 100"}}},
		{Seq: 3, At: at(4 * time.Hour), Actor: "box", Action: "something.new", Object: "=HYPERLINK(" + hostile + ")", Result: hostile, Times: 1, Since: at(4 * time.Hour)},
		{Seq: 2, At: at(30 * time.Hour), Actor: "admin", Action: "login", Result: "ok", Fine: true, IP: "192.168.1.9", Session: "a1b2c3", Times: 1, Since: at(30 * time.Hour)},
		{Seq: 1, At: at(9000 * time.Hour), Actor: "admin", Action: "setup", Result: "ok", Fine: true, Times: 1, Since: at(9000 * time.Hour)},
	}
}

func (g *golden) Audit(_ context.Context, f auditFilter) ([]auditLine, error) {
	var lines []auditLine
	for _, l := range g.safe.audit {
		if (f.Before == 0 || l.Seq < f.Before) && (f.Action == "" || l.Action == f.Action) && (f.Actor == "" || l.Actor == f.Actor) && len(lines) < f.Limit {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

func (g *golden) AuditNames(context.Context) (actors, actions []string, err error) {
	return []string{"admin", "box", "unknown"}, []string{"login", "payout.approve", "settings", "something.new"}, nil
}

func (g *golden) AuditProof(context.Context) (auditProof, error) { return g.safe.proof, nil }
