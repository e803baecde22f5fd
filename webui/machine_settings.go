package webui

import (
	"context"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
)

func (m *machine) Settings(ctx context.Context) (pool.Settings, int64, error) {
	return m.box.StoredSettings(ctx)
}

func (m *machine) ChangeSettings(ctx context.Context, rev int64, s pool.Settings, op operator, ip string) error {
	return asProblem(m.box.ChangeSettings(ctx, appliance.SettingsChange{Rev: rev, Settings: s, Actor: op.Name, IP: ip}))
}
