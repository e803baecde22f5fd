package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/pool"
)

// DeviceOrder tells a device to mine here, or where it did before.
type DeviceOrder struct {
	ID      int64
	Address string       // payout address; not to put back
	Worker  string       // name; not to put back
	Login   device.Login // of those that ask for one; kept nowhere
	Actor   string
	IP      string // of the actor
}

// settingDevices remembers the payout address that was typed for a device last.
const settingDevices = "devices"

type deviceSettings struct {
	Address string `json:"address"`
}

// DeviceAddress returns the payout address that was typed for a device last, empty if
// there was none.
func (a *Appliance) DeviceAddress(ctx context.Context) (string, error) {
	var s deviceSettings
	_, err := a.readSetting(ctx, settingDevices, &s)
	return s.Address, err
}

// deviceWorker is what a device is called here. Firmware takes other letters, too, but
// not each of them the same.
var deviceWorker = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// DevicePool returns what to tell the device at an address for it to mine here: the
// address of this box in the device's own network comes first.
func (a *Appliance) DevicePool(ip netip.Addr, address, worker string) device.Pool {
	host := a.Addresses()[0]
	for _, s := range a.DeviceSubnets() {
		if s.Prefix.Contains(ip) || s.Whole.IsValid() && s.Whole.Contains(ip) {
			host = s.Own.String()
			break
		}
	}
	return device.Pool{URL: "stratum+tcp://" + net.JoinHostPort(host, strconv.Itoa(a.StratumPort())), User: address + "." + worker}
}

// errDeviceBusy is the answer to a second click.
var errDeviceBusy = &MinerError{errors.New("this miner is being changed at the moment; look at it again")}

// SetDevice tells a device to mine here. The caller has made sure that the actor is who
// they say. What the device was told before is in the database, with the row of the
// audit log, before anything is changed; a second order leaves it as it is. The error
// is a [*MinerError] or one of the database; what became of the device is in Done in
// either case.
func (a *Appliance) SetDevice(ctx context.Context, o DeviceOrder) (device.Done, error) {
	address, _, err := pool.ParseAddress(o.Address, a.network)
	if err != nil {
		return device.Done{}, &MinerError{err}
	}
	if !deviceWorker.MatchString(o.Worker) {
		return device.Done{}, &MinerError{errors.New("the name of a miner has 1 to 32 letters, digits, dashes and underscores")}
	}
	release, ok := a.devices.claim(o.ID)
	if !ok {
		return device.Done{}, errDeviceBusy
	}
	defer release()
	d, answer, err := a.meet(ctx, o.ID)
	if err != nil {
		return device.Done{}, err
	}
	if answer.Way == device.ByHand {
		return device.Done{}, &MinerError{errors.New("the pool of this miner can be changed on its own page only")}
	}
	want := a.DevicePool(d.IP, address, o.Worker)
	told := d
	told.Going, told.Told = DeviceHere, want
	if told.Kept == nil {
		told.Kept = &answer.Setting
	}
	entry := AuditEntry{Actor: o.Actor, Action: "device.set", Object: d.IP.String(), IP: o.IP, Detail: map[string]string{
		"old_url": answer.Setting.Pool.URL, "old_user": answer.Setting.Pool.User, "url": want.URL, "user": want.User,
	}}
	return a.change(ctx, entry, d, told, func(tx *sql.Tx, now time.Time) error {
		return writeSetting(ctx, tx, settingDevices, deviceSettings{Address: address}, now)
	}, func(ctx context.Context) (device.Done, error) { return a.devices.lan.Set(ctx, answer, want, o.Login) })
}

// RestoreDevice tells a device to mine for whom it did before the first
// [Appliance.SetDevice]. Once it says that it does, what was kept is forgotten. Else
// as SetDevice.
func (a *Appliance) RestoreDevice(ctx context.Context, o DeviceOrder) (device.Done, error) {
	release, ok := a.devices.claim(o.ID)
	if !ok {
		return device.Done{}, errDeviceBusy
	}
	defer release()
	d, answer, err := a.meet(ctx, o.ID)
	if err != nil {
		return device.Done{}, err
	}
	if d.Kept == nil {
		return device.Done{}, &MinerError{errors.New("there is nothing to put back")}
	}
	ours, told := d.Told, d
	if d.Going == DeviceBack { // once more
		ours = answer.Setting.Pool
	}
	told.Going, told.Told = DeviceBack, d.Kept.Pool
	entry := AuditEntry{Actor: o.Actor, Action: "device.restore", Object: d.IP.String(), IP: o.IP, Detail: map[string]string{
		"url": d.Kept.Pool.URL, "user": d.Kept.Pool.User,
	}}
	done, err := a.change(ctx, entry, d, told, func(*sql.Tx, time.Time) error { return nil },
		func(ctx context.Context) (device.Done, error) {
			return a.devices.lan.PutBack(ctx, answer, *d.Kept, ours, o.Login)
		})
	if !done.Seen {
		return done, err
	}
	if told, readErr := a.Device(ctx, o.ID); readErr == nil {
		err = errors.Join(err, a.deviceReturned(context.WithoutCancel(ctx), told))
	}
	return done, err
}

// meet asks a device that is about to be changed who it is: somebody else may have its
// address by now.
func (a *Appliance) meet(ctx context.Context, id int64) (Device, device.Device, error) {
	d, err := a.Device(ctx, id)
	if err != nil {
		return d, device.Device{}, err
	}
	answer, err := a.devices.lan.Read(ctx, d.IP)
	switch {
	case err != nil:
		return d, answer, &MinerError{errors.New("the miner does not answer; nothing was changed")}
	case !d.is(answer):
		return d, answer, &MinerError{fmt.Errorf("another miner answers at %s now; nothing was changed: search again", d.IP)}
	}
	return d, answer, nil
}

// change writes what will be, does it, and takes the writing back if the device has
// changed nothing for certain. The change goes on when whoever ordered it hangs up.
func (a *Appliance) change(ctx context.Context, e AuditEntry, before, after Device, also func(tx *sql.Tx, now time.Time) error, do func(context.Context) (device.Done, error)) (device.Done, error) {
	ctx = context.WithoutCancel(ctx)
	err := a.changeMiner(ctx, e, func(tx *sql.Tx, now time.Time) error {
		after.ToldAt = now
		if before.Kept == nil {
			after.KeptAt = now
		}
		return errors.Join(writeGoing(ctx, tx, after), also(tx, now))
	})
	if err != nil {
		return device.Done{}, fmt.Errorf("keep the old setting of a device: %w", err)
	}
	done, err := do(ctx)
	next := time.Now()
	if done.Restarting {
		next = next.Add(deviceRestart)
	}
	a.devices.soon(before.ID, next)
	var said *device.Error
	if !errors.As(err, &said) {
		return done, err
	}
	e.Result = said.Error()
	failed := a.db.Update(ctx, func(tx *sql.Tx) error {
		if said.Unchanged {
			if err := writeGoing(ctx, tx, before); err != nil {
				return err
			}
		}
		return writeAudit(ctx, tx, e)
	})
	return done, errors.Join(&MinerError{said}, failed)
}

// deviceRestart is how long a device is left alone while it restarts.
const deviceRestart = 20 * time.Second

// writeGoing writes what a device was told, and what before.
func writeGoing(ctx context.Context, tx *sql.Tx, d Device) error {
	var kept *string
	var keptAt, toldAt *int64
	if d.Kept != nil {
		text, err := json.Marshal(d.Kept)
		if err != nil {
			return fmt.Errorf("encode setting: %w", err)
		}
		kept, keptAt, toldAt = new(string(text)), new(d.KeptAt.UnixMilli()), new(d.ToldAt.UnixMilli())
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE device SET kept = ?, kept_at = ?, going = ?, url = ?, user = ?, told_at = ? WHERE id = ?`,
		kept, keptAt, d.Going, d.Told.URL, d.Told.User, toldAt, d.ID)
	return orNone(result, err, ErrNoDevice)
}
