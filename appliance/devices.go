package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Device is a miner of the home network that an operator has added.
type Device struct {
	ID      int64
	IP      netip.Addr
	Serial  string // empty: it tells none
	API     device.API
	Model   string
	Actor   string // who added it
	AddedAt time.Time

	Kept   *device.Setting // what it was told before we changed it; nil: we have changed nothing
	KeptAt time.Time
	Going  DeviceGoing
	Told   device.Pool // by us, the last time
	ToldAt time.Time

	Seen device.Device // its last answer since the box started
	At   time.Time     // of that; zero: none yet
	Away int           // how often it has not answered since
	Else bool          // another miner answered at its address the last time
}

// DeviceGoing is what a device was told by us.
type DeviceGoing string

// What it can have been told.
const (
	DeviceLeft DeviceGoing = ""     // nothing, or to mine where it did, and it does
	DeviceHere DeviceGoing = "here" // to mine for this pool
	DeviceBack DeviceGoing = "back" // to mine where it did before
)

// Obeys reports whether the device has said that it mines for whom we told it to.
func (d Device) Obeys() bool {
	return d.Going != DeviceLeft && d.At.After(d.ToldAt) && d.Seen.Setting.Pool.Same(d.Told)
}

// ErrNoDevice is the answer to a device that there is not.
var ErrNoDevice = errors.New("there is no such miner")

// maxDevices bounds the devices that are asked again and again.
const maxDevices = 500

// Devices returns the devices that were added, by their addresses, each with its last
// answer.
func (a *Appliance) Devices(ctx context.Context) ([]Device, error) {
	list, err := readDevices(ctx, a.db.Reader(), 0)
	if err != nil {
		return nil, err
	}
	for i := range list {
		a.devices.fill(&list[i])
	}
	return list, nil
}

// Device returns one; [ErrNoDevice] when there is none.
func (a *Appliance) Device(ctx context.Context, id int64) (Device, error) {
	list, err := readDevices(ctx, a.db.Reader(), id)
	if err != nil {
		return Device{}, err
	}
	if len(list) == 0 {
		return Device{}, ErrNoDevice
	}
	a.devices.fill(&list[0])
	return list[0], nil
}

// readDevices reads one device, or all with id 0.
func readDevices(ctx context.Context, q sqlite.Querier, id int64) ([]Device, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT id, ip, serial, api, model, actor, at, kept, COALESCE(kept_at, 0), going, url, user, COALESCE(told_at, 0)
		FROM device WHERE ?1 = 0 OR id = ?1`, id)
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	list, err := sqlite.Collect(rows, scanDevice)
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	slices.SortFunc(list, func(a, b Device) int { return a.IP.Compare(b.IP) })
	return list, nil
}

func scanDevice(r *sql.Rows) (d Device, err error) {
	var ip string
	var kept *string
	var at, keptAt, toldAt int64
	err = r.Scan(&d.ID, &ip, &d.Serial, &d.API, &d.Model, &d.Actor, &at, &kept, &keptAt, &d.Going, &d.Told.URL, &d.Told.User, &toldAt)
	if err != nil {
		return d, err
	}
	d.AddedAt = time.UnixMilli(at)
	if kept != nil {
		d.KeptAt, d.ToldAt = time.UnixMilli(keptAt), time.UnixMilli(toldAt)
		if err := json.Unmarshal([]byte(*kept), &d.Kept); err != nil {
			return d, fmt.Errorf("decode setting of device %d: %w", d.ID, err)
		}
	}
	d.IP, err = netip.ParseAddr(ip)
	return d, err
}

// AddDevice asks a device what it is, and adds it. One that is known by its serial
// number and has another address now is moved there. The error is a [*MinerError] or
// one of the database.
func (a *Appliance) AddDevice(ctx context.Context, ip, actor, from string) (id int64, err error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !a.devices.lan.May(addr) {
		return 0, &MinerError{errors.New("a miner in your network has an address such as 192.168.1.7")}
	}
	d, err := a.devices.lan.Read(ctx, addr)
	if err != nil {
		a.log.Debug("No miner at address", "peer", ip, "err", err)
		return 0, &MinerError{fmt.Errorf("no miner answers at %s, or none whose answer this box understands", addr)}
	}
	err = a.changeMiner(ctx, AuditEntry{
		Actor: actor, Action: "device.add", Object: addr.String(), IP: from, Detail: map[string]string{"model": d.Model, "serial": d.Serial},
	}, func(tx *sql.Tx, now time.Time) error {
		id, err = addDevice(ctx, tx, d, actor, now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add device: %w", err)
	}
	a.devices.saw(id, d, time.Now())
	return id, nil
}

// addDevice writes a device that has answered, in the place of what was known of it or
// of its address. A miner whose pool we have changed is not forgotten by that.
func addDevice(ctx context.Context, tx *sql.Tx, d device.Device, actor string, now time.Time) (id int64, err error) {
	all, err := readDevices(ctx, tx, 0)
	if err != nil {
		return 0, err
	}
	var same, there *Device
	for i, old := range all {
		if old.is(d) {
			same = &all[i]
		} else if old.IP == d.IP {
			there = &all[i]
		}
	}
	switch {
	case there != nil && there.Kept != nil:
		return 0, &MinerError{fmt.Errorf("at %s there was another miner, %s, whose old pool is kept; forget it first", d.IP, there.Model)}
	case there != nil:
		if _, err := tx.ExecContext(ctx, `DELETE FROM device WHERE id = ?`, there.ID); err != nil {
			return 0, err
		}
	case same == nil && len(all) >= maxDevices:
		return 0, &MinerError{fmt.Errorf("%d miners are the limit", maxDevices)}
	}
	if same != nil {
		_, err := tx.ExecContext(ctx, `UPDATE device SET ip = ?, model = ? WHERE id = ?`, d.IP.String(), d.Model, same.ID)
		return same.ID, err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO device (ip, serial, api, model, actor, at) VALUES (?, ?, ?, ?, ?, ?)`,
		d.IP.String(), d.Serial, d.API, d.Model, actor, now.UnixMilli())
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// is reports whether an answer is of this device: by its serial number, or, when it
// tells none, by its address and by what it speaks.
func (d Device) is(answer device.Device) bool {
	if d.API != answer.API || d.Serial != answer.Serial {
		return false
	}
	return d.Serial != "" || d.IP == answer.IP
}

// ForgetDevice forgets a device, and with it what it was told before. It changes
// nothing at the device itself.
func (a *Appliance) ForgetDevice(ctx context.Context, id int64, actor, ip string) error {
	d, err := a.Device(ctx, id)
	if err != nil {
		return err
	}
	detail := map[string]string{"model": d.Model}
	if d.Kept != nil {
		detail["old_url"], detail["old_user"] = d.Kept.Pool.URL, d.Kept.Pool.User
	}
	err = a.changeMiner(ctx, AuditEntry{Actor: actor, Action: "device.forget", Object: d.IP.String(), IP: ip, Detail: detail},
		func(tx *sql.Tx, _ time.Time) error {
			result, err := tx.ExecContext(ctx, `DELETE FROM device WHERE id = ?`, id)
			return orNone(result, err, ErrNoDevice)
		})
	if err != nil {
		return fmt.Errorf("forget device: %w", err)
	}
	a.devices.lost(id)
	return nil
}
