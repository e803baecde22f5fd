package webui

import (
	"context"
	"io"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) core() coreView { return coreOf(m.box.Core()) }

func coreOf(c appliance.CoreStatus) coreView {
	return coreView{
		State: c.State, Text: c.Text, Busy: c.Busy(), Done: c.Done, Total: c.Total,
		InUse: c.InUse, Elsewhere: c.Elsewhere, Choices: c.Choices, File: c.File, Site: c.Site,
	}
}

func abilitiesOf(n appliance.NodeStatus) []abilityView {
	var views []abilityView
	for _, a := range n.Abilities {
		views = append(views, abilityView{OK: a.OK, Text: a.Text})
	}
	return views
}

func (m *machine) GetCore(ctx context.Context, version string, op operator, ip string) error {
	return asProblem(m.box.GetCore(ctx, version, op.Name, ip))
}

func (m *machine) RepairNode(ctx context.Context, op operator, ip string) error {
	return asProblem(m.box.RepairNode(ctx, op.Name, ip))
}

func (m *machine) StopCore(ctx context.Context, op operator, ip string) error {
	return asProblem(m.box.StopCore(ctx, op.Name, ip))
}

func (m *machine) UploadCore(ctx context.Context, file io.Reader, op operator, ip string) error {
	return asProblem(m.box.UploadCore(ctx, file, op.Name, ip))
}
