package appliance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/appliance/device/devicetest"
)

// homed is a box in a home network of simulated miners, and its folder.
func homed(t *testing.T, home *devicetest.Home) (a *Appliance, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"operator":{"user":"anna","password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return reopened(t, dir, home), dir
}

func reopened(t *testing.T, dir string, home *devicetest.Home) *Appliance {
	t.Helper()
	ln, err := Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Config{DataDir: dir, Devices: home.Config(), Stratum: []net.Listener{ln}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() }) // again, where the test has closed it
	return a
}

func add(t *testing.T, a *Appliance, ip netip.Addr) Device {
	t.Helper()
	id, err := a.AddDevice(t.Context(), ip.String(), "anna", "::1")
	if err != nil {
		t.Fatal(err)
	}
	return stored(t, a, id)
}

func stored(t *testing.T, a *Appliance, id int64) Device {
	t.Helper()
	d, err := a.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Each kind of miner whose pool can be set is told to mine here, and after a restart of
// the box where it did before.
func TestDevicesThereAndBack(t *testing.T) {
	type miner interface{ Mining() (device.Pool, int) }
	home := devicetest.New(t)
	bitaxe, nerd, generic, avalon, old := home.Bitaxe(), home.NerdQAxe(), home.Generic(), home.Avalon(), home.AvalonA10()
	a, dir := homed(t, home)
	for name, tc := range map[string]struct {
		ip    netip.Addr
		miner miner
		login device.Login
	}{
		"bitaxe":     {bitaxe.IP, bitaxe, device.Login{}},
		"nerdqaxe":   {nerd.IP, nerd, device.Login{}},
		"cgminer":    {generic.IP, generic, device.Login{}},
		"avalon":     {avalon.IP, avalon, device.Login{User: "admin", Password: "web password", PoolPassword: "old password"}},
		"avalon A10": {old.IP, old, device.Login{User: "root", Password: "root", PoolPassword: "old password"}},
	} {
		before, _ := tc.miner.Mining()
		d := add(t, a, tc.ip)
		order := DeviceOrder{ID: d.ID, Address: strings.ToUpper(minerAddress), Worker: "rig-1", Login: tc.login, Actor: "anna", IP: "::1"}
		if _, err := a.SetDevice(t.Context(), order); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := device.Pool{URL: fmt.Sprintf("stratum+tcp://127.0.0.1:%d", a.StratumPort()), User: minerAddress + ".rig-1"}
		if got, _ := tc.miner.Mining(); got != want {
			t.Errorf("%s mines for %v, want %v", name, got, want)
		}
		order.Worker = "rig-2" // a second order keeps what was first
		if _, err := a.SetDevice(t.Context(), order); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d = stored(t, a, d.ID)
		if d.Kept == nil || !d.Kept.Pool.Same(d.Seen.Setting.Pool) || d.Going != DeviceHere {
			t.Fatalf("%s: kept %+v, going %q", name, d.Kept, d.Going)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}

		a = reopened(t, dir, home)
		order.Address, order.Worker = "", ""
		if _, err := a.RestoreDevice(t.Context(), order); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a.devices.ask(t.Context(), stored(t, a, d.ID)) // an Avalon says so only after its restart
		if got, _ := tc.miner.Mining(); got != before {
			t.Errorf("%s mines for %v, want %v", name, got, before)
		}
		if d := stored(t, a, d.ID); d.Kept != nil || d.Going != DeviceLeft {
			t.Errorf("%s: after the way back kept %+v, going %q", name, d.Kept, d.Going)
		}
	}
	log, err := a.AuditLog(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range log {
		count[e.Action]++
		for _, secret := range []string{"web password", "old password"} {
			if strings.Contains(fmt.Sprint(e), secret) {
				t.Errorf("the audit log has a password: %+v", e)
			}
		}
	}
	if count["device.set"] != 10 || count["device.restore"] != 5 || count["device.add"] != 5 {
		t.Errorf("audit log has %v", count)
	}
	if got, err := a.DeviceAddress(t.Context()); got != minerAddress || err != nil {
		t.Errorf("remembered %q, %v", got, err)
	}
}

// What a miner was told is in the database before anything is changed, and what became
// of a change that failed is told as it is.
func TestDeviceKeptFirst(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	a, _ := homed(t, home)
	d := add(t, a, sim.IP)
	before := d.Seen.Setting
	kept := false
	sim.Asked(func() {
		list, err := readDevices(context.Background(), a.db.Reader(), d.ID)
		kept = err == nil && list[0].Kept != nil && cmp.Equal(*list[0].Kept, before)
	})
	order := DeviceOrder{ID: d.ID, Address: minerAddress, Worker: "rig", Actor: "anna", IP: "::1"}
	var said *MinerError

	sim.Put("otp", true) // since it was added
	if _, err := a.SetDevice(t.Context(), order); !errors.As(err, &said) || kept {
		t.Errorf("a locked one: %v", err)
	}
	sim.Put("otp", false)
	sim.Deafen()
	if _, err := a.SetDevice(t.Context(), order); !errors.As(err, &said) || !kept {
		t.Errorf("a deaf one: %v, kept first: %v", err, kept)
	}
	if d := stored(t, a, d.ID); d.Kept == nil || d.Going != DeviceHere || d.Obeys() {
		t.Errorf("nobody knows whether a deaf one has changed, but going is %q", d.Going)
	}
	log, err := a.AuditLog(t.Context(), 2)
	if err != nil || log[0].Action != "device.set" || log[0].Result == "ok" || log[1].Result != "ok" || log[1].Detail["old_user"] != before.Pool.User {
		t.Errorf("audit log has %+v, %v", log, err)
	}
	if _, err := a.RestoreDevice(t.Context(), order); err != nil { // it says what it said all along
		t.Error(err)
	}
	if d := stored(t, a, d.ID); d.Kept != nil {
		t.Errorf("kept %+v", d.Kept)
	}

	avalon := add(t, a, home.Avalon().IP)
	order.ID, order.Login = avalon.ID, device.Login{User: "admin", Password: "guess"}
	if _, err := a.SetDevice(t.Context(), order); !errors.As(err, &said) {
		t.Errorf("a wrong password: %v", err)
	}
	if d := stored(t, a, avalon.ID); d.Kept != nil || d.Going != DeviceLeft {
		t.Errorf("after a refusal kept %+v, going %q", d.Kept, d.Going)
	}
	for name, order := range map[string]DeviceOrder{
		"address":  {ID: d.ID, Address: otherNetwork, Worker: "rig"},
		"worker":   {ID: d.ID, Address: minerAddress, Worker: "rig,rig"},
		"no name":  {ID: d.ID, Address: minerAddress},
		"by hand":  {ID: add(t, a, home.Antminer().IP).ID, Address: minerAddress, Worker: "rig"},
		"by token": {ID: add(t, a, home.WhatsMiner().IP).ID, Address: minerAddress, Worker: "rig"},
	} {
		if _, err := a.SetDevice(t.Context(), order); !errors.As(err, &said) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.SetDevice(t.Context(), DeviceOrder{ID: 99, Address: minerAddress, Worker: "rig"}); !errors.Is(err, ErrNoDevice) {
		t.Errorf("nobody: %v", err)
	}
}

// A miner is known by its serial number; what answers at its address is not it.
func TestDeviceIdentity(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	a, _ := homed(t, home)
	d := add(t, a, sim.IP)
	sim.Put("macAddr", "AA:BB:CC:00:00:99") // another one has the address now
	a.devices.ask(t.Context(), d)
	if d := stored(t, a, d.ID); !d.Else || d.Away != 1 {
		t.Errorf("another one: %+v", d)
	}
	var said *MinerError
	if _, err := a.SetDevice(t.Context(), DeviceOrder{ID: d.ID, Address: minerAddress, Worker: "rig"}); !errors.As(err, &said) {
		t.Errorf("another one was set: %v", err)
	}
	moved := home.Bitaxe() // the first one, elsewhere
	if got := add(t, a, moved.IP); got.ID != d.ID || got.IP != moved.IP {
		t.Errorf("moved: %+v", got)
	}
	if got := add(t, a, sim.IP); got.ID == d.ID {
		t.Errorf("the other one is %+v", got)
	}
	for _, ip := range []string{"8.8.8.8", "127.0.0.60", "x", "::1", ""} {
		if _, err := a.AddDevice(t.Context(), ip, "anna", "::1"); !errors.As(err, &said) {
			t.Errorf("add %q: %v", ip, err)
		}
	}

	if err := a.ForgetDevice(t.Context(), d.ID, "anna", "::1"); err != nil {
		t.Error(err)
	}
	if err := a.ForgetDevice(t.Context(), d.ID, "anna", "::1"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("forgotten twice: %v", err)
	}
}

// A search goes on in the background, one at a time, in a network of the box.
func TestScanDevices(t *testing.T) {
	home := devicetest.New(t)
	want := []netip.Addr{home.Bitaxe().IP, home.Generic().IP, home.WhatsMiner().IP}
	a, _ := homed(t, home)
	var said *MinerError
	if err := a.ScanDevices(t.Context(), "8.8.8.0/24", "anna", "::1"); !errors.As(err, &said) {
		t.Errorf("a network of others: %v", err)
	}
	events, unsubscribe := a.Subscribe()
	defer unsubscribe()
	prefix := a.DeviceSubnets()[0].Prefix.String()
	if err := a.ScanDevices(t.Context(), prefix, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	if err := a.ScanDevices(t.Context(), prefix, "anna", "::1"); !errors.As(err, &said) {
		t.Errorf("twice at once: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var keeper sync.WaitGroup
	keeper.Go(func() { a.devices.run(ctx) })
	for a.DeviceScan().Running {
		<-events
	}
	cancel()
	keeper.Wait()
	s := a.DeviceScan()
	var got []netip.Addr
	for _, d := range s.Found {
		got = append(got, d.IP)
	}
	if !slices.Equal(got, want) || s.Asked != s.Hosts || s.Cut || s.Ended.IsZero() {
		t.Errorf("found %v, want %v; %+v", got, want, s)
	}
}

// Who does not answer is asked more and more seldom, and again at once when somebody
// has changed something.
func TestDevicePace(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	a, _ := homed(t, home)
	d := add(t, a, sim.IP)
	sim.Unplug(true)
	k := a.devices
	var waits []time.Duration
	for range 7 {
		k.ask(t.Context(), d)
		k.mu.Lock()
		waits = append(waits, time.Until(k.seen[d.ID].next).Round(5*time.Second))
		k.mu.Unlock()
	}
	want := []time.Duration{45 * time.Second, 90 * time.Second, 3 * time.Minute, 6 * time.Minute, 12 * time.Minute, 15 * time.Minute, 15 * time.Minute}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	sim.Unplug(false)
	k.round(t.Context())
	if got := stored(t, a, d.ID); got.Away != 7 {
		t.Errorf("it was asked before its time: %+v", got)
	}
	k.soon(d.ID, time.Now())
	k.round(t.Context())
	if got := stored(t, a, d.ID); got.Away != 0 || got.Seen.Watts == nil || *got.Seen.Watts != 17.9 {
		t.Errorf("after it came back: %+v", got)
	}
}

// What is remembered of a miner that is not in the list any more goes: its time to be
// asked would have come for ever.
func TestDeviceGone(t *testing.T) {
	home := devicetest.New(t)
	first, second := home.Bitaxe(), home.NerdQAxe()
	a, _ := homed(t, home)
	replaced := add(t, a, first.IP)
	forgotten := add(t, a, second.IP)
	first.Put("macAddr", "AA:BB:CC:00:00:99")
	successor := add(t, a, first.IP)
	if err := a.ForgetDevice(t.Context(), forgotten.ID, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	k := a.devices
	k.ask(t.Context(), forgotten) // an answer that was on its way
	k.round(t.Context())
	if got := k.known(); replaced.ID == successor.ID || !slices.Equal(got, []int64{successor.ID}) {
		t.Errorf("remembers %d, want %d alone", got, successor.ID)
	}
}

// A simulated miner that was configured by a click connects to the real Stratum port
// as the worker that it was told to be, and the worker's page knows what it uses.
func TestDeviceMinesHere(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	home := devicetest.New(t)
	sim := home.NerdQAxe()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	b := launchWith(t, Config{DataDir: dir, Bitcoind: binary, Devices: home.Config()})
	const address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	d := add(t, b.box, sim.IP)
	if _, err := b.box.SetDevice(t.Context(), DeviceOrder{ID: d.ID, Address: address, Worker: "nerd", Actor: "admin"}); err != nil {
		t.Fatal(err)
	}

	told, _ := sim.Mining()
	at, err := url.Parse(told.URL)
	if err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: sim.IP.AsSlice()}}
	conn, err := dialer.DialContext(t.Context(), "tcp4", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, `{"id":1,"method":"mining.subscribe","params":["NerdQAxe++/BM1370/v1.0.34"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["`+told.User+`","x"]}`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(conn); lines.Scan() && !strings.Contains(lines.Text(), `"id":2`); {
	}

	b.box.devices.ask(t.Context(), stored(t, b.box, d.ID))
	p, err := b.box.WorkerPower(t.Context(), address, "nerd")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Devices) != 1 || !p.Devices[0].Connected || !p.Devices[0].Obeys() || p.Watts == nil || *p.Watts != 76.4 || p.JoulesPerTH == nil || fmt.Sprintf("%.2f", *p.JoulesPerTH) != "15.91" {
		t.Errorf("power %+v", p)
	}
	if p.Yield != nil || p.Why != YieldUnmeasured {
		t.Errorf("yield %+v, %q", p.Yield, p.Why)
	}
	if p, err := b.box.WorkerPower(t.Context(), address, "other"); err != nil || len(p.Devices) != 0 || p.Watts != nil {
		t.Errorf("another worker has %+v, %v", p, err)
	}
}
