package appliance

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/appliance/device/devicetest"
	"github.com/dmpool/dmpool/pool/shares"
)

func TestPerKWh(t *testing.T) {
	for _, tc := range []struct{ sats, joules, want int64 }{
		{0, 1, 0},
		{1000, 3_600_000, 1000},
		{1000, 7_200_001, 499},
		{2_100_000_000_000_000, 3_600_000, 2_100_000_000_000_000}, // every coin there is
	} {
		if got := perKWh(tc.sats, tc.joules); got != tc.want {
			t.Errorf("perKWh(%d, %d) = %d, want %d", tc.sats, tc.joules, got, tc.want)
		}
	}
}

func TestCovered(t *testing.T) {
	hours := func(n int64) (list []int64) {
		for i := range n {
			list = append(list, i*3600)
		}
		return list
	}
	used := func(worker string, n, seconds int64) (list []energy) {
		for _, h := range hours(n) {
			list = append(list, energy{worker, h, seconds, 1000})
		}
		return list
	}
	for name, tc := range map[string]struct {
		used  []energy
		mined map[string][]int64
		want  NoYield
	}{
		"all of it":           {used("a", 48, 3590), map[string][]int64{"a": hours(48)}, ""},
		"off at night":        {used("a", 30, 3590), map[string][]int64{"a": hours(30)}, ""},
		"half of the time":    {used("a", 24, 3600), map[string][]int64{"a": hours(48)}, YieldGaps},
		"half of each hour":   {used("a", 48, 1800), map[string][]int64{"a": hours(48)}, YieldGaps},
		"another one as well": {used("a", 48, 3600), map[string][]int64{"a": hours(48), "b": hours(1)}, YieldOthers},
		"two":                 {append(used("a", 48, 3600), used("b", 48, 3600)...), map[string][]int64{"a": hours(48), "b": hours(48)}, ""},
	} {
		if got := covered(tc.used, tc.mined); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestMeasuredFrom(t *testing.T) {
	to := time.Unix(1000*3600, 0)
	for name, tc := range map[string]struct {
		used []energy
		want int64 // hours before to
	}{
		"for long":       {[]energy{{worker: "a", hour: 832 * 3600}, {worker: "a", hour: 999 * 3600}}, 168},
		"since a while":  {[]energy{{worker: "a", hour: 950 * 3600}, {worker: "a", hour: 951 * 3600}}, 49},
		"one came later": {[]energy{{worker: "a", hour: 832 * 3600}, {worker: "b", hour: 960 * 3600}, {worker: "a", hour: 961 * 3600}}, 39},
	} {
		if got := int64(to.Sub(measuredFrom(tc.used, to)) / time.Hour); got != tc.want {
			t.Errorf("%s: %d hours, want %d", name, got, tc.want)
		}
	}
}

// Energy counts only between two answers that are close, and only for the worker that
// the device was both times.
func TestDeviceUsed(t *testing.T) {
	home := devicetest.New(t)
	a, _ := homed(t, home)
	d := add(t, a, home.Bitaxe().IP)
	here := a.DevicePool(d.IP, minerAddress, "rig")
	other := a.DevicePool(d.IP, minerAddress, "other")
	answer := func(watts float64, p device.Pool) (v device.Device) {
		v.IP, v.Setting.Pool, v.Watts = d.IP, p, &watts
		return v
	}
	at := time.Unix(500*3600+1800, 0)
	var all []usage
	for _, step := range []struct {
		before, now device.Device
		span        time.Duration
	}{
		{answer(100, here), answer(200, here), 40 * time.Second}, // 6000 J
		{answer(100, here), answer(100, here), time.Minute},      // 6000 J
		{answer(100, here), answer(100, here), time.Hour},
		{answer(100, here), answer(100, other), time.Minute},
		{answer(100, device.Pool{URL: "stratum+tcp://elsewhere:3333", User: here.User}), answer(100, here), time.Minute},
		{device.Device{}, answer(100, here), time.Minute},
	} {
		all = append(all, a.deviceUsed(d.ID, sighting{Device: step.before, at: at.Add(-step.span)}, step.now, at))
	}
	forgotten := a.deviceUsed(99, sighting{Device: answer(1, here), at: at.Add(-time.Minute)}, answer(1, here), at)
	if forgotten == (usage{}) {
		t.Error("it has used nothing")
	}
	if err := a.noteUsage(t.Context(), append(all, forgotten)); err != nil {
		t.Fatal(err)
	}
	used, err := a.used(t.Context(), minerAddress, at.Add(-time.Hour), at.Add(time.Hour))
	if want := (energy{"rig", 500 * 3600, 100, 12_000}); err != nil || len(used) != 1 || used[0] != want {
		t.Errorf("used %+v, %v; want %+v", used, err, want)
	}
	if err := a.ForgetDevice(t.Context(), d.ID, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	var left int
	err = a.db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM device_hour`).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d hours are left of a forgotten device, %v", left, err)
	}
}

// The yield of an account reads the share log and the ledger over the same hours.
func TestYield(t *testing.T) {
	home := devicetest.New(t)
	a, dir := homed(t, home)
	d := add(t, a, home.Bitaxe().IP)
	log, err := shares.Open(t.Context(), filepath.Join(dir, "yield.db"), shares.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Unix(1_900_000_000, 0)
	for _, tc := range []struct {
		hours int // that are measured
		why   NoYield
	}{{0, YieldUnmeasured}, {10, YieldShort}, {30, ""}} {
		err := a.db.Update(t.Context(), func(tx *sql.Tx) error {
			for i := range tc.hours {
				_, err := tx.ExecContext(t.Context(), `
					INSERT INTO device_hour (device, address, worker, hour, seconds, joules) VALUES (?, ?, 'rig', ?, 3600, 36000)
					ON CONFLICT DO NOTHING`, d.ID, minerAddress, floorHour(now).Unix()-int64(i+1)*3600)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		y, why, err := a.yield(t.Context(), log, minerAddress, now)
		if why != tc.why || err != nil || (y == nil) != (why != "") {
			t.Errorf("%d hours: %+v, %q, %v", tc.hours, y, why, err)
		}
		if y != nil && (y.Joules != 29*36_000 || y.Sats != 0 || y.PerKWh != 0 || !y.To.Equal(floorHour(now)) || y.To.Sub(y.From) != 29*time.Hour) {
			t.Errorf("%d hours: %+v", tc.hours, y)
		}
	}
}
