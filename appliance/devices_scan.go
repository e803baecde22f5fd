package appliance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/pool"
)

// DeviceScan is the search for miners that goes on, or the last one. The zero value is
// none since the box started.
type DeviceScan struct {
	Subnet  device.Subnet
	Running bool
	Started time.Time
	Ended   time.Time       // zero while it runs
	Hosts   int             // addresses of the subnet
	Asked   int             // of these
	Found   []device.Device // by their addresses
	Cut     bool            // it ended before it had asked all
}

// DeviceScan returns the search that goes on, or the last one.
func (a *Appliance) DeviceScan() DeviceScan {
	a.devices.mu.Lock()
	defer a.devices.mu.Unlock()
	s := a.devices.scan
	s.Found = slices.Clone(s.Found)
	return s
}

// DeviceSubnets returns the networks in which miners can be searched.
func (a *Appliance) DeviceSubnets() []device.Subnet { return a.devices.lan.Subnets() }

// ScanDevices begins to search one of [Appliance.DeviceSubnets]. Nothing else does.
// The error is a [*MinerError] or one of the database.
func (a *Appliance) ScanDevices(ctx context.Context, prefix, actor, ip string) error {
	subnets := a.DeviceSubnets()
	i := slices.IndexFunc(subnets, func(s device.Subnet) bool { return s.Prefix.String() == prefix })
	if i < 0 {
		return &MinerError{errors.New("choose one of the networks of this box")}
	}
	if !a.devices.begin(subnets[i], time.Now()) {
		return &MinerError{errors.New("a search goes on already")}
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "device.scan", Object: prefix, Result: "ok", IP: ip}); err != nil {
		a.devices.end(false, time.Now())
		return err
	}
	a.devices.scans <- subnets[i] // one at a time: there is room
	return nil
}

// begin takes the place of the one search that there may be.
func (k *deviceKeeper) begin(s device.Subnet, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scan.Running {
		return false
	}
	k.scan = DeviceScan{Subnet: s, Running: true, Started: now, Hosts: s.Hosts()}
	return true
}

func (k *deviceKeeper) end(whole bool, now time.Time) {
	k.mu.Lock()
	k.scan.Running, k.scan.Ended, k.scan.Cut = false, now, !whole
	k.mu.Unlock()
	k.tell()
}

// search does the searches that are begun.
func (k *deviceKeeper) search(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-k.scans:
			err := k.lan.Scan(ctx, s, k.asked)
			k.end(err == nil, time.Now())
		}
	}
}

// asked counts an address, and keeps the device that answered there.
func (k *deviceKeeper) asked(d *device.Device) {
	k.mu.Lock()
	k.scan.Asked++
	if d != nil {
		k.scan.Found = append(k.scan.Found, *d)
		slices.SortFunc(k.scan.Found, func(a, b device.Device) int { return a.IP.Compare(b.IP) })
	}
	show := d != nil || k.scan.Asked%32 == 0
	k.mu.Unlock()
	if show {
		k.tell()
	}
}

// tell has the pages shown again.
func (k *deviceKeeper) tell() {
	k.box.events.Publish(pool.Event{Kind: "device", At: time.Now()})
}
