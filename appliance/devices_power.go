package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/pool"
)

const (
	deviceHistory = 90 * 24 * time.Hour // energy is kept so long
	maxMeasured   = 3 * time.Minute     // two answers that are further apart measure nothing between them
)

// WorkerPower is what the devices of a worker use, and what its account earns with it.
type WorkerPower struct {
	Devices     []WorkerDevice // that were added
	Watts       *float64       // of all of them
	JoulesPerTH *float64       // by the hash rates that they report
	Yield       *Yield         // nil: see Why
	Why         NoYield
}

// WorkerDevice is a device that mines here under the name of a worker.
type WorkerDevice struct {
	Device

	Connected bool // a session of the worker comes from its address
}

// rig is a worker by name.
type rig struct{ address, worker string }

// WorkerPower tells what a worker's devices use. What is not known is nil: nothing is
// estimated.
func (a *Appliance) WorkerPower(ctx context.Context, address, worker string) (WorkerPower, error) {
	list, err := a.Devices(ctx)
	if err != nil {
		return WorkerPower{}, err
	}
	who := rig{address, worker}
	at := a.minersAt()
	var p WorkerPower
	known := map[netip.Addr]bool{}
	for _, d := range list {
		known[d.IP] = true
		if !d.At.IsZero() && a.minesAs(d.Seen, at) == who {
			p.Devices = append(p.Devices, WorkerDevice{Device: d, Connected: slices.Contains(at[d.IP], who)})
		}
	}
	p.add(time.Now())
	for ip, rigs := range at {
		if !known[ip] && slices.ContainsFunc(rigs, func(r rig) bool { return r.address == address }) {
			p.Why = YieldOthers
			return p, nil
		}
	}
	p.Yield, p.Why, err = a.yield(ctx, a.Shares(), address, time.Now())
	return p, err
}

// add sums up what the devices say now, if all of them do.
func (p *WorkerPower) add(now time.Time) {
	var watts, hashes float64
	for _, d := range p.Devices {
		if d.Away > 0 || now.Sub(d.At) > maxMeasured || d.Seen.Watts == nil {
			return
		}
		watts += *d.Seen.Watts
		if d.Seen.Hashrate != nil {
			hashes += *d.Seen.Hashrate
		}
	}
	if len(p.Devices) == 0 {
		return
	}
	p.Watts = &watts
	if hashes > 0 {
		p.JoulesPerTH = new(watts / hashes * 1e12)
	}
}

// DeviceWorker is the worker that a device mines here as.
type DeviceWorker struct {
	Address   string // empty: it mines elsewhere, or has not said
	Worker    string
	Connected bool // a session of the worker comes from its address
}

// DeviceWorkers tells of each device as whom it mines here.
func (a *Appliance) DeviceWorkers(list []Device) []DeviceWorker {
	at := a.minersAt()
	workers := make([]DeviceWorker, len(list))
	for i, d := range list {
		if !d.At.IsZero() {
			who := a.minesAs(d.Seen, at)
			workers[i] = DeviceWorker{Address: who.address, Worker: who.worker, Connected: slices.Contains(at[d.IP], who)}
		}
	}
	return workers
}

// minersAt are the workers that are connected from each IPv4 address.
func (a *Appliance) minersAt() map[netip.Addr][]rig {
	at := map[netip.Addr][]rig{}
	p := a.pool.Load()
	if p == nil {
		return at
	}
	for _, s := range p.Status().Sessions {
		if peer, err := netip.ParseAddrPort(s.Remote); err == nil {
			ip := peer.Addr().Unmap()
			for _, w := range s.Workers {
				at[ip] = append(at[ip], rig{w.Address, w.Name})
			}
		}
	}
	return at
}

// minesAs is the worker that a device is told to be, if it is told to mine here: by an
// address of this box, or because it is connected as that worker. The zero value when
// it mines elsewhere.
func (a *Appliance) minesAs(d device.Device, at map[netip.Addr][]rig) rig {
	name, err := pool.ParseUsername(d.Setting.Pool.User, a.network)
	if err != nil {
		return rig{}
	}
	who := rig{name.Address, name.Worker}
	if a.isHere(d.Setting.Pool) || slices.Contains(at[d.IP], who) {
		return who
	}
	return rig{}
}

// isHere reports whether a pool is this one.
func (a *Appliance) isHere(p device.Pool) bool {
	host, port, ok := p.Endpoint()
	if !ok || !slices.Contains(a.Addresses(), host) {
		return false
	}
	if port == a.StratumPort() {
		return true
	}
	running := a.pool.Load()
	return running != nil && slices.ContainsFunc(running.Status().Ports, func(extra pool.PortStatus) bool {
		_, number, err := net.SplitHostPort(extra.Addr)
		return err == nil && number == strconv.Itoa(port)
	})
}

// usage is what a device has used between two answers. The zero value is nothing.
type usage struct {
	device          int64
	who             rig
	at              time.Time // of the later answer
	seconds, joules int64
}

// deviceUsed is what a device has used since its last answer, under the worker that it
// mined as both times.
func (a *Appliance) deviceUsed(id int64, before sighting, now device.Device, at time.Time) usage {
	span := at.Sub(before.at)
	if before.at.IsZero() || span <= 0 || span > maxMeasured || before.Watts == nil || now.Watts == nil {
		return usage{}
	}
	here := a.minersAt()
	who := a.minesAs(now, here)
	if who.address == "" || who != a.minesAs(before.Device, here) {
		return usage{}
	}
	joules := math.Round((*before.Watts + *now.Watts) / 2 * span.Seconds())
	return usage{id, who, at, int64(math.Round(span.Seconds())), int64(joules)}
}

// noteUsage adds up energy by hour. A device that was forgotten meanwhile has none.
func (a *Appliance) noteUsage(ctx context.Context, list []usage) error {
	if !slices.ContainsFunc(list, func(u usage) bool { return u.device != 0 }) {
		return nil
	}
	err := a.db.Update(ctx, func(tx *sql.Tx) error {
		for _, u := range list {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO device_hour (device, address, worker, hour, seconds, joules)
				SELECT id, ?2, ?3, ?4, ?5, ?6 FROM device WHERE id = ?1
				ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds, joules = joules + excluded.joules`,
				u.device, u.who.address, u.who.worker, floorHour(u.at).Unix(), u.seconds, u.joules)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write energy: %w", err)
	}
	return nil
}
