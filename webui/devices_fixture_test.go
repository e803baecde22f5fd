package webui

import (
	"context"
	"slices"
	"time"
)

// shed is where the golden box's miners stand.
type shed struct {
	devices  devicesView
	device   deviceView
	power    powerView
	searched []string // networks
	taken    []string // addresses
	told     []deviceOrder
	said     deviceDone
	let      []int64 // those that were forgotten
}

func newShed() shed {
	tera := func(v float64) *float64 { return new(v * 1e12) }
	here := deviceLine{
		ID: 3, IP: "192.168.1.77", Model: "NerdQAxe++", Firmware: "v1.0.34", Name: "nerdqaxe", API: "axeos", State: "here",
		Rate: tera(4.8), Celsius: new(58.2), Watts: new(76.4), Pool: minerPool{"stratum+tcp://192.168.1.50:3333", aliceAddress + ".bitaxe1"},
		At: noon.Add(-20 * time.Second), Address: aliceAddress, Worker: "bitaxe1", Connected: true, Kept: true,
	}
	found := []deviceLine{
		{ID: 3, IP: here.IP, Model: here.Model, Firmware: here.Firmware, Name: here.Name, API: "axeos", Rate: here.Rate, Celsius: here.Celsius, Pool: here.Pool},
		{IP: "192.168.1.80", Model: "Antminer S19j Pro", Firmware: "Mon Nov 21 16:43:16 CST 2022", API: "antminer", Rate: tera(98), Celsius: new(71.0), Pool: minerPool{"stratum+tcp://pool.example:3333", "someone.s19"}},
		{IP: "192.168.1.81", Model: hostile, Firmware: hostile, Name: hostile, API: "cgminer", Pool: minerPool{"javascript:alert(1)", hostile}},
	}
	away := deviceLine{ID: 4, IP: "192.168.1.81", Model: hostile, Name: hostile, API: "cgminer", State: "away", At: noon.Add(-3 * time.Hour), Pool: minerPool{"javascript:alert(1)", hostile}}
	return shed{
		devices: devicesView{
			Subnets: []subnetLine{{Prefix: "10.1.0.0/22", Card: "eth0", Own: "10.1.2.3", Hosts: 1021, Whole: "10.0.0.0/8"}, {Prefix: "127.0.0.0/24", Card: "wlan0", Own: "127.0.0.50", Hosts: 253}},
			Scan:    scanView{Running: true, Prefix: "192.168.1.0/24", Started: noon.Add(-9 * time.Second), Hosts: 253, Asked: 96, Found: found},
			Devices: []deviceLine{here, away, {ID: 5, IP: "192.168.1.9", Model: "WhatsMiner M30S+", API: "whatsminer", State: "elsewhere", Rate: tera(86), Celsius: new(96.0), Watts: new(3593.0), At: noon, Pool: minerPool{"stratum+tcp://pool.example:3333", "x"}}},
		},
		device: deviceView{
			deviceLine: here, Serial: "aa:bb:cc:00:00:02", Actor: "admin", AddedAt: noon.Add(-50 * time.Hour), Way: "click", Lasting: true,
			List: []minerPool{here.Pool, {"stratum+tcp://solo.example:3333", hostile}}, Old: minerPool{"stratum+tcp://old.example:3333", hostile}, KeptAt: noon.Add(-49 * time.Hour),
			Going: "here", Told: here.Pool, ToldAt: noon.Add(-49 * time.Hour), Obeys: true,
			URL: "stratum+tcp://192.168.1.50:3333", Host: "192.168.1.50", Port: "3333", Payout: aliceAddress, Called: "bitaxe1",
		},
		power: powerView{
			Devices: []deviceLine{here}, Watts: here.Watts, PerTH: here.PerTH(),
			From: noon.Add(-168 * time.Hour), To: noon, KWh: new(12.8), Sats: new(int64(15_200)), PerKWh: new(int64(1187)),
		},
		said: deviceDone{Seen: true, Restarting: true, Restarts: true},
	}
}

func (s *shed) Devices(context.Context) (devicesView, error) {
	v := s.devices
	v.Subnets = slices.Clone(v.Subnets)
	return v, nil
}

func (s *shed) ScanDevices(_ context.Context, prefix string, _ operator, _ string) error {
	if prefix == "" {
		return refused("Choose one of the networks of this box.")
	}
	s.searched = append(s.searched, prefix)
	return nil
}

func (s *shed) AddDevice(_ context.Context, ip string, _ operator, _ string) (int64, error) {
	if ip == "8.8.8.8" {
		return 0, refused("A miner in your network has an address such as 192.168.1.7.")
	}
	s.taken = append(s.taken, ip)
	return 3, nil
}

func (s *shed) Device(_ context.Context, id int64) (deviceView, error) {
	if id != s.device.ID {
		return deviceView{}, notFound()
	}
	return s.device, nil
}

func (s *shed) ChangeDevice(_ context.Context, o deviceOrder) (deviceDone, error) {
	if o.Worker == "taken" {
		return deviceDone{}, refused("The miner took the change, but does not say what it was told; it was not restarted.")
	}
	s.told = append(s.told, o)
	return s.said, nil
}

func (s *shed) ForgetDevice(_ context.Context, id int64, _ operator, _ string) error {
	if id != s.device.ID {
		return notFound()
	}
	s.let = append(s.let, id)
	return nil
}
