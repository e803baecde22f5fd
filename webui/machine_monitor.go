package webui

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/support"
)

// sampleSlots is how many samples fit into a line: six hours of them.
const sampleSlots = 720

// Upgraded tells which version ran before.
func (m *machine) Upgraded(ctx context.Context) (before string, at time.Time, err error) {
	return m.box.Upgraded(ctx)
}

// Monitoring tells how the box was in the last hours.
func (m *machine) Monitoring(context.Context) (monitoringView, error) {
	box := m.sizes.get(time.Minute, m.box.Box)
	samples := m.box.Samples()
	v := monitoringView{Started: box.StartedAt, Calls: int64(box.RPC.Calls), Failed: int64(box.RPC.Failed), Disk: float(box.DiskTotal), Free: float(box.DiskFree)}
	for _, sample := range samples {
		v.Times = append(v.Times, sample.At)
	}
	line := func(name, unit string, of *float64, read func(appliance.Sample) *float64) meter {
		values := make([]*float64, 0, len(samples))
		for _, s := range samples {
			values = append(values, read(s))
		}
		return newMeter(name, unit, of, values, sampleSlots)
	}
	v.Machine = []meter{
		line("cpu", inPercent, nil, func(s appliance.Sample) *float64 { return s.Busy }),
		line("memory", inBytes, float(box.Memory), func(s appliance.Sample) *float64 { return s.MemoryUsed }),
		line("disk", inBytes, v.Disk, func(s appliance.Sample) *float64 { return s.DiskFree }),
		line("received", inFlow, nil, func(s appliance.Sample) *float64 { return s.Received }),
		line("sent", inFlow, nil, func(s appliance.Sample) *float64 { return s.Sent }),
		line("warmth", inCelsius, nil, func(s appliance.Sample) *float64 { return s.Celsius }),
	}
	v.Miners = []meter{
		line("connections", inCount, nil, func(s appliance.Sample) *float64 { return s.Connections }),
		line("shares", inShares, nil, func(s appliance.Sample) *float64 { return s.Shares }),
		line("rejected", inPercent, nil, func(s appliance.Sample) *float64 { return s.Rejected }),
	}
	v.Node = []meter{
		line("rpc_median", inSeconds, nil, func(s appliance.Sample) *float64 { return s.RPCMedian }),
		line("rpc_p99", inSeconds, nil, func(s appliance.Sample) *float64 { return s.RPCP99 }),
	}
	if p := m.box.Pool(); p != nil {
		v.Template = p.Status().TemplateAt
	}
	for _, f := range box.Folders {
		v.Parts = append(v.Parts, partSize{f.Name, f.Path, new(float64(f.Bytes))})
	}
	return v, nil
}

// Support adds what the box knows of itself to what is sent to somebody who helps.
func (m *machine) Support(ctx context.Context, b *support.Bundle) error { return m.box.Support(ctx, b) }

func float(n *int64) *float64 {
	if n == nil {
		return nil
	}
	return new(float64(*n))
}
