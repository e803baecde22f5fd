package webui

import (
	"context"
	"net"
	"regexp"
	"strings"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/device"
)

func (m *machine) Devices(ctx context.Context) (devicesView, error) {
	list, err := m.box.Devices(ctx)
	if err != nil {
		return devicesView{}, asProblem(err)
	}
	var v devicesView
	for i, w := range m.box.DeviceWorkers(list) {
		v.Devices = append(v.Devices, deviceLineOf(list[i], w))
	}
	for _, n := range m.box.DeviceSubnets() {
		line := subnetLine{Prefix: n.Prefix.String(), Card: n.Name, Own: n.Own.String(), Hosts: n.Hosts()}
		if n.Whole.IsValid() {
			line.Whole = n.Whole.String()
		}
		v.Subnets = append(v.Subnets, line)
	}
	v.Scan = m.scan(v.Devices)
	return v, nil
}

// scan is the search that goes on, or the last one. Those that were added are known by
// their addresses.
func (m *machine) scan(added []deviceLine) (v scanView) {
	s := m.box.DeviceScan()
	if s.Started.IsZero() {
		return v
	}
	ids := map[string]int64{}
	for _, d := range added {
		ids[d.IP] = d.ID
	}
	v = scanView{Running: s.Running, Prefix: s.Subnet.Prefix.String(), Started: s.Started, Ended: s.Ended, Hosts: s.Hosts, Asked: s.Asked, Cut: s.Cut}
	for _, d := range s.Found {
		line := answered(d)
		line.ID = ids[line.IP]
		v.Found = append(v.Found, line)
	}
	return v
}

// answered is what a device said.
func answered(d device.Device) deviceLine {
	return deviceLine{
		IP: d.IP.String(), Model: d.Model, Firmware: d.Firmware, Name: d.Name, API: string(d.API),
		Rate: d.Hashrate, Celsius: d.Celsius, Watts: d.Watts, Pool: minerPool(d.Setting.Pool.Shown()),
	}
}

func deviceLineOf(d appliance.Device, w appliance.DeviceWorker) deviceLine {
	line := answered(d.Seen)
	line.ID, line.IP, line.Model, line.API, line.At = d.ID, d.IP.String(), d.Model, string(d.API), d.At
	line.Address, line.Worker, line.Connected, line.Kept = w.Address, w.Worker, w.Connected, d.Kept != nil
	switch {
	case d.Else:
		line.State = "other"
	case d.Away > 0:
		line.State = "away"
	case d.At.IsZero():
		line.State = "unasked"
	case w.Address != "":
		line.State = "here"
	default:
		line.State = "elsewhere"
	}
	if d.Away > 0 { // what it measured is over
		line.Rate, line.Celsius, line.Watts = nil, nil, nil
	}
	return line
}

func (m *machine) ScanDevices(ctx context.Context, prefix string, op operator, ip string) error {
	return asProblem(m.box.ScanDevices(ctx, prefix, op.Name, ip))
}

func (m *machine) AddDevice(ctx context.Context, at string, op operator, ip string) (int64, error) {
	id, err := m.box.AddDevice(ctx, at, op.Name, ip)
	return id, asProblem(err)
}

func (m *machine) ForgetDevice(ctx context.Context, id int64, op operator, ip string) error {
	return asProblem(m.box.ForgetDevice(ctx, id, op.Name, ip))
}

func (m *machine) Device(ctx context.Context, id int64) (deviceView, error) {
	d, err := m.box.Device(ctx, id)
	if err != nil {
		return deviceView{}, asProblem(err)
	}
	v := deviceView{
		deviceLine: deviceLineOf(d, m.box.DeviceWorkers([]appliance.Device{d})[0]), Serial: d.Serial, Actor: d.Actor, AddedAt: d.AddedAt,
		Way: string(d.Seen.Way), Obstacle: string(d.Seen.Obstacle), Lasting: d.API.Lasting(),
		KeptAt: d.KeptAt, Going: string(d.Going), Told: minerPool(d.Told.Shown()), ToldAt: d.ToldAt, Obeys: d.Obeys(),
	}
	for _, p := range d.Seen.Setting.List {
		v.List = append(v.List, minerPool(p.Shown()))
	}
	if d.Kept != nil {
		v.Old = minerPool(d.Kept.Pool.Shown())
	}
	if v.Payout, err = m.box.DeviceAddress(ctx); err != nil {
		return v, err
	}
	if v.Called = v.Worker; v.Address != "" {
		v.Payout = v.Address
	}
	if !simpleName.MatchString(v.Called) {
		v.Called = simpler(v.Name, v.Model)
	}
	v.URL = m.box.DevicePool(d.IP, "", "").URL
	v.Host, v.Port, err = net.SplitHostPort(strings.TrimPrefix(v.URL, "stratum+tcp://"))
	return v, err
}

var (
	simpleName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	unsimple   = regexp.MustCompile(`[^a-z0-9]+`)
)

// simpler makes a name that every firmware takes of one that a device has.
func simpler(names ...string) string {
	for _, name := range names {
		kept := strings.Trim(unsimple.ReplaceAllString(strings.ToLower(name), "-"), "-")
		if kept != "" {
			return kept[:min(len(kept), 32)]
		}
	}
	return "miner"
}

func (m *machine) ChangeDevice(ctx context.Context, o deviceOrder) (deviceDone, error) {
	order := appliance.DeviceOrder{
		ID: o.ID, Address: o.Address, Worker: o.Worker, Actor: o.Operator.Name, IP: o.IP,
		Login: device.Login{User: o.User, Password: o.Password, PoolPassword: o.Pool},
	}
	change := m.box.SetDevice
	if o.Action == deviceRestore {
		change = m.box.RestoreDevice
	}
	done, err := change(ctx, order)
	return deviceDone{Seen: done.Seen, Restarting: done.Restarting, Restarts: done.Lasting}, asProblem(err)
}

// power is what the devices of a worker use.
func (m *machine) power(ctx context.Context, address, worker string) (powerView, error) {
	p, err := m.box.WorkerPower(ctx, address, worker)
	if err != nil {
		return powerView{}, err
	}
	v := powerView{Watts: p.Watts, PerTH: p.JoulesPerTH, Why: string(p.Why)}
	for _, d := range p.Devices {
		v.Devices = append(v.Devices, deviceLineOf(d.Device, appliance.DeviceWorker{Address: address, Worker: worker, Connected: d.Connected}))
	}
	if y := p.Yield; y != nil {
		v.From, v.To, v.Sats, v.PerKWh = y.From, y.To, &y.Sats, &y.PerKWh
		v.KWh = new(float64(y.Joules) / 3.6e6)
	}
	return v, nil
}
