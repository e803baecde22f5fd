package webui

import (
	"context"

	"github.com/dmpool/dmpool/appliance/alert"
)

func (m *machine) OpenAlerts(ctx context.Context) (int, error) { return m.box.Alerts().Open(ctx) }

func (m *machine) Alerts(ctx context.Context, f alert.Filter, limit int) ([]alert.Alert, error) {
	return m.box.Alerts().Alerts(ctx, f, limit)
}

func (m *machine) DismissAlert(ctx context.Context, id int64, op operator, ip string) error {
	return asProblem(m.box.DismissAlert(ctx, id, op.Name, ip))
}

func (m *machine) DismissOverAlerts(ctx context.Context, upTo int64, op operator, ip string) error {
	return asProblem(m.box.DismissOverAlerts(ctx, upTo, op.Name, ip))
}

func (m *machine) AlertRules(ctx context.Context) ([]alert.Rule, error) {
	return m.box.Alerts().Rules(ctx)
}

func (m *machine) SetAlertRule(ctx context.Context, r alert.Rule, op operator, ip string) (string, error) {
	key, err := m.box.SetAlertRule(ctx, r, op.Name, ip)
	return key, asProblem(err)
}

func (m *machine) ResetAlertRule(ctx context.Context, key string, op operator, ip string) error {
	return asProblem(m.box.ResetAlertRule(ctx, key, op.Name, ip))
}

func (m *machine) AlertChannels(ctx context.Context) ([]alert.Channel, error) {
	return m.box.Alerts().Channels(ctx)
}

func (m *machine) AlertDeliveries(ctx context.Context, channel, before int64, limit int) ([]alert.Delivery, error) {
	return m.box.Alerts().Deliveries(ctx, channel, before, limit)
}

func (m *machine) SetAlertChannel(ctx context.Context, c alert.Channel, s alert.Secret, op operator, ip string) (int64, error) {
	id, err := m.box.SetAlertChannel(ctx, c, s, op.Name, ip)
	return id, asProblem(err)
}

func (m *machine) RemoveAlertChannel(ctx context.Context, id int64, op operator, ip string) error {
	return asProblem(m.box.RemoveAlertChannel(ctx, id, op.Name, ip))
}

func (m *machine) TestAlertChannel(ctx context.Context, id int64, op operator, ip string) (string, error) {
	problem, err := m.box.TestAlertChannel(ctx, id, op.Name, ip)
	return problem, asProblem(err)
}

func (m *machine) AlertPolicy(ctx context.Context) (alert.Policy, error) {
	return m.box.Alerts().Policy(ctx)
}

func (m *machine) SetAlertPolicy(ctx context.Context, p alert.Policy, op operator, ip string) error {
	return asProblem(m.box.SetAlertPolicy(ctx, p, op.Name, ip))
}
