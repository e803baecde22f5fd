package webui

import (
	"context"
	"database/sql"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) Login(ctx context.Context, user, password, ip string) (operator, time.Time, error) {
	op, since, err := m.box.Login(ctx, user, password, ip)
	return operator(op), since, asProblem(err)
}

func (m *machine) LoginCode(ctx context.Context, op operator, code, ip string) error {
	return asProblem(m.box.LoginCode(ctx, appliance.Operator(op), code, ip))
}

func (m *machine) Reauthenticate(ctx context.Context, op operator, proof, ip string) error {
	return asProblem(m.box.Reauthenticate(ctx, op.ID, proof, ip))
}

func (m *machine) ProvePassword(ctx context.Context, op operator, password, ip string) error {
	return asProblem(m.box.ProvePassword(ctx, op.ID, password, ip))
}

func (m *machine) InSession(ctx context.Context, id string) context.Context {
	return appliance.InSession(ctx, id)
}

func (m *machine) NoteIn(ctx context.Context, tx *sql.Tx, op operator, action, object, ip string) error {
	return appliance.AuditIn(ctx, tx, appliance.AuditEntry{Actor: op.Name, Action: action, Object: object, Result: "ok", IP: ip})
}

func (m *machine) Factor(ctx context.Context, op operator) (factorState, error) {
	f, err := m.box.Factor(ctx, op.ID)
	return factorState(f), err
}

func (m *machine) ProposeFactor(ctx context.Context, op operator) (proposal, error) {
	secret, err := m.box.ProposeFactor(ctx, appliance.Operator(op))
	return m.proposal(secret, op), asProblem(err)
}

func (m *machine) ProposedFactor(ctx context.Context, op operator) (proposal, error) {
	secret, err := m.box.ProposedFactor(ctx, op.ID)
	return m.proposal(secret, op), asProblem(err)
}

func (m *machine) proposal(secret string, op operator) proposal {
	return proposal{Secret: secret, URI: appliance.FactorURI(secret, m.box.Settings().Name, op.Name)}
}

func (m *machine) ConfirmFactor(ctx context.Context, op operator, code string, revoke bool, ip string) ([]string, time.Time, error) {
	codes, since, err := m.box.ConfirmFactor(ctx, appliance.Operator(op), code, appliance.Tokens(revoke), ip)
	return codes, since, asProblem(err)
}

func (m *machine) KnowsCode(ctx context.Context, op operator, code, ip string) error {
	return asProblem(m.box.KnowsCode(ctx, appliance.Operator(op), code, ip))
}

func (m *machine) RemoveFactor(ctx context.Context, op operator, code string, revoke bool, ip string) (time.Time, error) {
	since, err := m.box.RemoveFactor(ctx, appliance.Operator(op), code, appliance.Tokens(revoke), ip)
	return since, asProblem(err)
}

func (m *machine) RenewCodes(ctx context.Context, op operator, code, ip string) ([]string, error) {
	codes, err := m.box.RenewCodes(ctx, appliance.Operator(op), code, ip)
	return codes, asProblem(err)
}
