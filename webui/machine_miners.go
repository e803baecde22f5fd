package webui

import (
	"context"
	"fmt"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) Reached(ctx context.Context, address string) (reached, error) {
	if _, err := m.pool(); err != nil {
		return reached{}, err
	}
	return m.reached.get(address, func() (reached, error) {
		h, err := m.box.Shares().Histogram(ctx, address)
		if err != nil {
			return reached{}, fmt.Errorf("count shares: %w", err)
		}
		return reached(h), nil
	})
}

func (m *machine) Bans(ctx context.Context) ([]banLine, error) {
	bans, err := m.box.Bans(ctx)
	if err != nil {
		return nil, asProblem(err)
	}
	var lines []banLine
	for _, b := range bans {
		lines = append(lines, banLine{banned: banned(b.Banned), Reason: b.Reason, Actor: b.Actor, At: b.At})
	}
	return lines, nil
}

func (m *machine) Ban(ctx context.Context, b banOrder) error {
	order := appliance.Ban{Banned: appliance.Banned(b.banned), Reason: b.Reason, Actor: b.Operator.Name}
	return asProblem(m.box.Ban(ctx, order, b.IP))
}

func (m *machine) LiftBan(ctx context.Context, who banned, op operator, ip string) error {
	return asProblem(m.box.LiftBan(ctx, appliance.Banned(who), op.Name, ip))
}

func (m *machine) Marks(ctx context.Context, address string) ([]mark, error) {
	marks, err := m.box.Marks(ctx, address)
	if err != nil {
		return nil, asProblem(err)
	}
	var list []mark
	for _, one := range marks {
		list = append(list, mark(one))
	}
	return list, nil
}

func (m *machine) SetMark(ctx context.Context, one mark, op operator, ip string) error {
	return asProblem(m.box.SetMark(ctx, appliance.Mark(one), op.Name, ip))
}

func (m *machine) Links(ctx context.Context, address string) ([]linkLine, error) {
	links, err := m.box.ObserverLinks(ctx, address)
	if err != nil {
		return nil, asProblem(err)
	}
	var lines []linkLine
	for _, l := range links {
		lines = append(lines, linkLine{ID: l.ID, Actor: l.Actor, At: l.At})
	}
	return lines, nil
}

func (m *machine) Link(ctx context.Context, address string, op operator, ip string) (string, error) {
	token, err := m.box.LinkObserver(ctx, address, op.Name, ip)
	return token, asProblem(err)
}

func (m *machine) Unlink(ctx context.Context, address, id string, op operator, ip string) error {
	return asProblem(m.box.UnlinkObserver(ctx, address, id, op.Name, ip))
}

func (m *machine) Linked(ctx context.Context, token string) (string, error) {
	address, err := m.box.ObserverOf(ctx, token)
	return address, asProblem(err)
}
