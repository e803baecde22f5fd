// Package devicetest simulates miners in a home network, on loopback: AxeOS and what
// was made of it, cgminer, Antminer, WhatsMiner and Avalon, each as its public
// documentation describes the API, with the oddities that are known of it.
//
// A simulated miner keeps what it is told, does what it does after a restart only
// then, and says whom it would mine for. It hashes nothing.
package devicetest

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"github.com/dmpool/dmpool/appliance/device"
)

// Home is a home network on loopback. Its miners have addresses of their own, from
// 127.0.0.2 on, and two ports in common.
type Home struct {
	t         testing.TB
	http, api int
	last      netip.Addr
	served    sync.WaitGroup
}

// New returns a network with nobody in it. It ends with the test.
func New(t testing.TB) *Home {
	h := &Home{t: t, last: netip.MustParseAddr("127.0.0.1")}
	h.http, h.api = freePort(t), freePort(t)
	t.Cleanup(h.served.Wait)
	return h
}

// freePort is a port that is free on loopback. The miners take it at their own
// addresses, where nobody else looks for one.
func freePort(t testing.TB) int {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// Config is where the miners are found.
func (h *Home) Config() device.Config {
	own := netip.MustParseAddr("127.0.0.1")
	return device.Config{
		Allow:   []netip.Prefix{netip.MustParsePrefix("127.0.0.0/26")},
		Subnets: []device.Subnet{{Prefix: netip.MustParsePrefix("127.0.0.0/26"), Own: own, Name: "lo"}},

		HTTPPort: h.http, APIPort: h.api,
	}
}

// Serve has a stranger at the next address answer each connection to a port, "http" or
// "api", by a function.
func (h *Home) Serve(port string, answer func(net.Conn)) netip.Addr {
	h.t.Helper()
	ip := h.last.Next()
	h.listen(ip, port, answer)
	h.last = ip
	return ip
}

func (h *Home) listen(ip netip.Addr, port string, answer func(net.Conn)) {
	h.t.Helper()
	n := h.api
	if port == "http" {
		n = h.http
	}
	ln, err := new(net.ListenConfig).Listen(h.t.Context(), "tcp4", net.JoinHostPort(ip.String(), strconv.Itoa(n)))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { ln.Close() })
	h.served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			h.served.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
}
