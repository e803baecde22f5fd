package device_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/appliance/device/devicetest"
)

// ours is a pool as the box is one.
var ours = device.Pool{URL: "stratum+tcp://192.168.1.50:3333", User: "bc1qnew.rig-1"}

func read(t *testing.T, lan *device.LAN, ip netip.Addr) device.Device {
	t.Helper()
	d, err := lan.Read(t.Context(), ip)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRead(t *testing.T) {
	home := devicetest.New(t)
	lan := device.New(home.Config())
	old := device.Setting{
		Pool: device.Pool{URL: "stratum+tcp://old.example:3333", User: "me.rig"},
		List: []device.Pool{{URL: "stratum+tcp://old.example:3333", User: "me.rig"}, {URL: "stratum+tcp://older.example:3333", User: "me.rig"}},
	}
	known := func(h, c, w float64) (f device.Figures) {
		for at, v := range map[**float64]float64{&f.Hashrate: h, &f.Celsius: c, &f.Watts: w} {
			if v != 0 {
				*at = &v
			}
		}
		return f
	}
	for name, tc := range map[string]struct {
		ip   netip.Addr
		want device.Device
	}{
		"bitaxe": {home.Bitaxe().IP, device.Device{
			API: device.AxeOS, Model: "AxeOS BM1370", Firmware: "v2.9.0", Name: "bitaxe", Serial: "aa:bb:cc:00:00:01",
			Figures: known(1187.25e9, 61.5, 17.9), Way: device.ByClick,
			Setting: device.Setting{
				Pool: device.Pool{URL: "stratum2+tcp://public-pool.io:21496", User: "bc1qold.bitaxe"},
				List: []device.Pool{{URL: "stratum2+tcp://public-pool.io:21496", User: "bc1qold.bitaxe"}, {URL: "stratum+tcp://solo.ckpool.org:3333", User: "bc1qold.fallback"}},
			},
		}},
		"nerdqaxe": {home.NerdQAxe().IP, device.Device{
			API: device.AxeOS, Model: "NerdQAxe++", Firmware: "v1.0.34", Name: "nerdqaxe", Serial: "aa:bb:cc:00:00:02",
			Figures: known(4801e9, 58.2, 76.4), Way: device.ByClick,
			Setting: device.Setting{
				Pool: device.Pool{URL: "stratum+tcp://eu.braiins.com:3333", User: "me.nerd"},
				List: []device.Pool{{URL: "stratum+tcp://eu.braiins.com:3333", User: "me.nerd"}},
			},
		}},
		"cgminer": {home.Generic().IP, device.Device{
			API: device.CGMiner, Model: "cgminer", Firmware: "4.13.1", Figures: known(432000.5e6, 43.5, 0), Way: device.ByClick, Setting: old,
		}},
		"antminer": {home.Antminer().IP, device.Device{
			API: device.Antminer, Model: "Antminer S9", Firmware: "Fri Nov 17 17:37:49 CST 2017", Figures: known(13500.21e9, 77, 0),
			Way: device.ByHand, Obstacle: device.ReadOnly, Setting: old,
		}},
		"whatsminer": {home.WhatsMiner().IP, device.Device{
			API: device.WhatsMiner, Model: "WhatsMiner M30S+_VE40", Firmware: "20230911.12.Rel", Serial: "c6:07:20:00:1e:c2", Figures: known(86361423.46e6, 96.89, 3593),
			Way: device.ByHand, Obstacle: device.Token, Setting: old,
		}},
		"avalon": {home.Avalon().IP, device.Device{
			API: device.Avalon, Model: "Avalon Nano3s", Firmware: "25021401_56abae7", Serial: "e0e1a93f3053", Figures: known(6649033.64e6, 97, 139),
			Way: device.ByPassword, Setting: old,
		}},
		"avalon A10": {home.AvalonA10().IP, device.Device{
			API: device.Avalon, Model: "AvalonMiner 10xx", Firmware: "19090589_789f8e9t_965ebdct", Serial: "aaa5836a0f14", Figures: known(6649033.64e6, 74, 2834),
			Way: device.ByPassword, Setting: old,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, lan, tc.ip)
			tc.want.IP, got.Setting.Exact = tc.ip, nil
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("device (-want +got):\n%s", diff)
			}
		})
	}
}

// A Bitaxe and its relatives are told to mine here, and then what they were told
// before, to the last field: also the password that nobody can read.
func TestAxeOSThereAndBack(t *testing.T) {
	for name, add := range map[string]func(*devicetest.Home) *devicetest.AxeOS{"bitaxe": (*devicetest.Home).Bitaxe, "nerdqaxe": (*devicetest.Home).NerdQAxe} {
		t.Run(name, func(t *testing.T) {
			home := devicetest.New(t)
			lan, sim := device.New(home.Config()), add(home)
			before, fields := read(t, lan, sim.IP), sim.Fields()

			done, err := lan.Set(t.Context(), before, ours, device.Login{})
			if err != nil || done != (device.Done{Seen: true, Now: ours, Restarting: true, Lasting: true}) {
				t.Fatalf("set: %+v, %v", done, err)
			}
			if got, restarts := sim.Mining(); got != ours || restarts != 1 {
				t.Errorf("it mines for %v after %d restarts", got, restarts)
			}
			now := sim.Fields()
			if now["fallbackStratumURL"] != fields["fallbackStratumURL"] || now["stratumPassword"] != fields["stratumPassword"] {
				t.Error("the fallback, or the password, was changed")
			}

			done, err = lan.PutBack(t.Context(), read(t, lan, sim.IP), before.Setting, ours, device.Login{})
			if err != nil || !done.Seen || !done.Restarting {
				t.Fatalf("put back: %+v, %v", done, err)
			}
			if diff := cmp.Diff(fmt.Sprint(fields), fmt.Sprint(sim.Fields())); diff != "" {
				t.Errorf("fields (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(before.Setting, read(t, lan, sim.IP).Setting); diff != "" {
				t.Errorf("setting (-before +after):\n%s", diff)
			}
		})
	}
}

func TestCGMinerThereAndBack(t *testing.T) {
	home := devicetest.New(t)
	lan, sim := device.New(home.Config()), home.Generic()
	before := read(t, lan, sim.IP)
	for range 2 { // the second time it is in the list already
		done, err := lan.Set(t.Context(), read(t, lan, sim.IP), ours, device.Login{})
		if err != nil || done != (device.Done{Seen: true, Now: ours}) {
			t.Fatalf("set: %+v, %v", done, err)
		}
	}
	if got := read(t, lan, sim.IP).Setting; got.Pool != ours || len(got.List) != 3 {
		t.Errorf("it is told %+v", got)
	}
	done, err := lan.PutBack(t.Context(), read(t, lan, sim.IP), before.Setting, ours, device.Login{})
	if err != nil || !done.Seen {
		t.Fatalf("put back: %+v, %v", done, err)
	}
	if diff := cmp.Diff(before.Setting, read(t, lan, sim.IP).Setting); diff != "" {
		t.Errorf("setting (-before +after):\n%s", diff)
	}
	if got := sim.Passwords(); !slices.Equal(got, []string{"old password", "old password"}) {
		t.Errorf("passwords %q", got)
	}
}

func TestAvalonThereAndBack(t *testing.T) {
	for name, tc := range map[string]struct {
		add   func(*devicetest.Home) *devicetest.CGMiner
		login device.Login
	}{
		"nano": {(*devicetest.Home).Avalon, device.Login{User: "admin", Password: "web password", PoolPassword: "old password"}},
		"A10":  {(*devicetest.Home).AvalonA10, device.Login{User: "root", Password: "root", PoolPassword: "old password"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := devicetest.New(t)
			lan, sim := device.New(home.Config()), tc.add(home)
			before := read(t, lan, sim.IP)
			for _, wrong := range []device.Login{{}, {User: tc.login.User, Password: "guess"}, {User: tc.login.User, Password: `a,b`}} {
				done, err := lan.Set(t.Context(), before, ours, wrong)
				if target := (*device.Error)(nil); !errors.As(err, &target) || done != (device.Done{}) {
					t.Errorf("with %+v: %+v, %v", wrong, done, err)
				}
				if strings.Contains(fmt.Sprint(err), "guess") {
					t.Errorf("the password is in %q", err)
				}
			}
			done, err := lan.Set(t.Context(), before, ours, tc.login)
			if err != nil || done != (device.Done{Restarting: true, Lasting: true}) {
				t.Fatalf("set: %+v, %v", done, err)
			}
			if got, restarts := sim.Mining(); got != ours || restarts != 1 || sim.Passwords()[0] != "x" {
				t.Errorf("it mines for %v after %d restarts", got, restarts)
			}
			if _, err := lan.PutBack(t.Context(), read(t, lan, sim.IP), before.Setting, ours, tc.login); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before.Setting, read(t, lan, sim.IP).Setting); diff != "" || sim.Passwords()[0] != "old password" {
				t.Errorf("setting (-before +after):\n%s; password %q", diff, sim.Passwords()[0])
			}
		})
	}
}

// Whoever cannot be set is told nothing that would change it.
func TestByHand(t *testing.T) {
	home := devicetest.New(t)
	lan := device.New(home.Config())
	for _, sim := range []*devicetest.CGMiner{home.Antminer(), home.WhatsMiner()} {
		d := read(t, lan, sim.IP)
		_, set := lan.Set(t.Context(), d, ours, device.Login{})
		_, back := lan.PutBack(t.Context(), d, d.Setting, ours, device.Login{})
		for _, err := range []error{set, back} {
			if target := (*device.Error)(nil); !errors.As(err, &target) {
				t.Errorf("%s: %v", d.Model, err)
			}
		}
		for _, command := range sim.Heard() {
			if strings.Contains(command, "pool") && command != "pools" {
				t.Errorf("%s heard %s", d.Model, command)
			}
		}
	}
	nerd := home.NerdQAxe()
	nerd.Put("otp", true)
	if d := read(t, lan, nerd.IP); d.Way != device.ByHand || d.Obstacle != device.Locked {
		t.Errorf("a locked one: %+v", d)
	}
	nerd.Put("otp", false)
	nerd.Put("stratumUser", "me\u0007")
	if d := read(t, lan, nerd.IP); d.Way != device.ByHand || d.Obstacle != device.Unkept {
		t.Errorf("one whose user cannot be kept: %+v", d)
	}
}

// What went wrong half-way is told as it is.
func TestHalfDone(t *testing.T) {
	home := devicetest.New(t)
	lan, sim := device.New(home.Config()), home.Bitaxe()
	before := read(t, lan, sim.IP)
	sim.Deafen()
	done, err := lan.Set(t.Context(), before, ours, device.Login{})
	if _, restarts := sim.Mining(); err == nil || done.Seen || done.Now != before.Setting.Pool || restarts != 0 {
		t.Errorf("a deaf one: %+v, %v, restarts %d", done, err, restarts)
	}
	sim.Put("otp", true)
	if done, err := lan.Set(t.Context(), before, ours, device.Login{}); err == nil || !strings.Contains(err.Error(), "refused") || done.Seen {
		t.Errorf("one that was locked since: %+v, %v", done, err)
	}
	sim.Unplug(true)
	if done, err := lan.Set(t.Context(), before, ours, device.Login{}); err == nil || done != (device.Done{}) {
		t.Errorf("one without a plug: %+v, %v", done, err)
	}
}

func TestScan(t *testing.T) {
	home := devicetest.New(t)
	lan := device.New(home.Config())
	want := []netip.Addr{home.Bitaxe().IP, home.NerdQAxe().IP, home.Generic().IP, home.Avalon().IP, home.Antminer().IP, home.WhatsMiner().IP}
	home.Serve("http", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n<html>a printer</html>") })
	subnet := lan.Subnets()[0]
	var got []netip.Addr
	asked := 0
	err := lan.Scan(t.Context(), subnet, func(d *device.Device) {
		asked++
		if d != nil {
			got = append(got, d.IP)
		}
	})
	slices.SortFunc(got, netip.Addr.Compare)
	if err != nil || asked != subnet.Hosts() || asked != 61 || !slices.Equal(got, want) {
		t.Errorf("asked %d, found %v, %v; want %v", asked, got, err, want)
	}
}

// Nobody outside the private ranges is asked, whatever leads there, and no more than
// 32 addresses are asked at the same time.
func TestBounds(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	c := home.Config()
	c.Allow = nil // the world's
	if _, err := device.New(c).Read(t.Context(), sim.IP); !errors.Is(err, device.ErrNotMiner) {
		t.Errorf("loopback: %v", err)
	}
	for text, want := range map[string]bool{
		"10.1.2.3": true, "172.16.0.1": true, "172.31.255.254": true, "192.168.0.9": true,
		"172.32.0.1": false, "169.254.1.1": false, "100.64.0.1": false, "127.0.0.1": false, "8.8.8.8": false, "0.0.0.0": false, "::1": false, "fd00::1": false,
		"::ffff:192.168.0.9": false,
	} {
		if got := device.New(device.Config{}).May(netip.MustParseAddr(text)); got != want {
			t.Errorf("May(%s) = %v, want %v", text, got, want)
		}
	}
	for prefix, want := range map[string]int{"10.0.0.0/22": 1021, "192.168.1.0/24": 253, "192.168.1.0/30": 1} {
		p := netip.MustParsePrefix(prefix)
		if got := (device.Subnet{Prefix: p, Own: p.Addr().Next()}).Hosts(); got != want {
			t.Errorf("%s has %d hosts, want %d", prefix, got, want)
		}
	}

	// Nobody answers before 32 have been asked, so that as many are, and never more.
	var open, most atomic.Int32
	full, crowd := make(chan struct{}), devicetest.New(t)
	for range 40 {
		crowd.Serve("http", func(net.Conn) {
			n := open.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if n == 32 {
				close(full)
			}
			select {
			case <-full:
			case <-time.After(4 * time.Second):
			}
			open.Add(-1)
		})
	}
	lan := device.New(crowd.Config())
	if err := lan.Scan(t.Context(), lan.Subnets()[0], func(*device.Device) {}); err != nil || most.Load() != 32 {
		t.Errorf("%d were asked at the same time, %v", most.Load(), err)
	}
}

// A redirect leads nowhere, not even to the same machine.
func TestRedirect(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	at := home.Serve("http", func(c net.Conn) {
		fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: http://%s:%d/api/system/info\r\nContent-Length: 0\r\n\r\n", sim.IP, home.Config().HTTPPort)
	})
	if d, err := device.New(home.Config()).Read(t.Context(), at); !errors.Is(err, device.ErrNotMiner) {
		t.Errorf("read %+v, %v", d, err)
	}
}

// Whatever answers, it is no miner, and whoever never ends is not waited for.
func TestHostile(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	long := strings.Repeat("x", 10<<20)
	deep := strings.Repeat(`{"a":[`, 10_000)
	drip := func(c net.Conn) {
		_, _ = io.WriteString(c, head)
		for { // until the reader has had enough
			if _, err := io.WriteString(c, "{"); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	write := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	home := devicetest.New(t)
	lan := device.New(home.Config())
	for name, stranger := range map[string]struct {
		port   string
		answer func(net.Conn)
	}{
		"10 MB by HTTP":        {"http", write(head + `{"stratumURL":"` + long + `"}`)},
		"10 MB of headers":     {"http", write("HTTP/1.1 200 OK\r\nX: " + long + "\r\n\r\n{}")},
		"a page":               {"http", write(head + "<html>" + "</html>")},
		"deep JSON":            {"http", write(head + deep)},
		"other JSON":           {"http", write(head + `{"version":"1","stratumURL":[],"stratumPort":"x","stratumUser":null}`)},
		"no HTTP":              {"http", write("\x00\xff\xfe\r\n")},
		"a drip by HTTP":       {"http", drip},
		"10 MB by API":         {"api", write(`{"STATUS":[{"STATUS":"S","Msg":"` + long)},
		"deep JSON by API":     {"api", write(deep + "\x00")},
		"a page by API":        {"api", write("HTTP/1.1 400 Bad Request\r\n\r\n<html></html>")},
		"nothing":              {"api", write("")},
		"somebody else's":      {"api", write(`{"STATUS":"S","Code":22,"VERSION":[{}]}`)},
		"a drip by API":        {"api", drip},
		"not UTF-8":            {"api", write("{\"STATUS\":\"\xff\xfe\",\"VERSION\":[\"\xc3\x28\"]}\x00")},
		"a list where none is": {"api", write(`[{"STATUS":"S"}]`)},
	} {
		ip := home.Serve(stranger.port, stranger.answer)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d, err := lan.Read(t.Context(), ip); !errors.Is(err, device.ErrNotMiner) {
				t.Errorf("read %+v, %v", d, err)
			}
		})
	}
}

// What a device says is shown without what would deceive.
func TestCleaned(t *testing.T) {
	home := devicetest.New(t)
	sim := home.Bitaxe()
	sim.Put("hostname", "kit\u202echen\r\n\x1b[31m<b>"+strings.Repeat("ä", 200))
	sim.Put("hashRate_10m", 1e300)
	sim.Put("temp", -273)
	sim.Put("power", 1e9)
	sim.Put("stratumUser", "me\u202e.rig")
	d := read(t, device.New(home.Config()), sim.IP)
	if d.Figures != (device.Figures{}) || len([]rune(d.Name)) != 64 || !strings.HasPrefix(d.Name, "kitchen  [31m<b>ä") {
		t.Errorf("read %q, %+v", d.Name, d.Figures)
	}
	if got := d.Setting.Pool.Shown().User; got != "me.rig" || d.Setting.Pool.User != "me\u202e.rig" {
		t.Errorf("user is shown as %q, kept as %q", got, d.Setting.Pool.User)
	}
}
