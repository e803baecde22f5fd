package webui

import (
	"context"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) People(ctx context.Context) ([]personLine, error) {
	all, err := m.box.People(ctx)
	if err != nil {
		return nil, err
	}
	var lines []personLine
	for _, p := range all {
		lines = append(lines, personLine{operator: operator(p.Operator), AddedAt: p.AddedAt, PasswordAt: p.PasswordAt, Sessions: p.Sessions, Factor: p.Factor})
	}
	return lines, nil
}

// ChangePeople makes a change. Of a new password it says when it was set.
func (m *machine) ChangePeople(ctx context.Context, c peopleChange) (since time.Time, err error) {
	switch c.Action {
	case personAdd:
		err = m.box.AddOperator(ctx, c.Name, c.Password, c.Operator.Name, c.IP)
	case personRemove:
		err = m.box.RemoveOperator(ctx, appliance.Operator(c.Person), c.Operator.Name, c.IP)
	case personPassword:
		since, err = m.box.ChangePassword(ctx, appliance.Operator(c.Operator), c.Password, appliance.Tokens(c.Revoke), c.IP)
	default:
		return time.Time{}, fmt.Errorf("change people: there is no action %q", c.Action)
	}
	return since, asProblem(err)
}
