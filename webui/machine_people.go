package webui

import (
	"context"
	"fmt"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) People(ctx context.Context) ([]personLine, error) {
	all, err := m.box.People(ctx)
	if err != nil {
		return nil, err
	}
	var lines []personLine
	for _, p := range all {
		lines = append(lines, personLine{operator: operator(p.Operator), AddedAt: p.AddedAt, PasswordAt: p.PasswordAt, Sessions: p.Sessions})
	}
	return lines, nil
}

func (m *machine) ChangePeople(ctx context.Context, c peopleChange) error {
	switch c.Action {
	case personAdd:
		return asProblem(m.box.AddOperator(ctx, c.Name, c.Password, c.Operator.Name, c.IP))
	case personRemove:
		return asProblem(m.box.RemoveOperator(ctx, appliance.Operator(c.Person), c.Operator.Name, c.IP))
	case personPassword:
		return asProblem(m.box.ChangePassword(ctx, appliance.Operator(c.Operator), c.Password, c.IP))
	}
	return fmt.Errorf("change people: there is no action %q", c.Action)
}
