package stratum

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// What a public address may do (stratum.md section 5). Private addresses are
// exempt from all of it: behind one of them may be a whole farm, as all miners
// look like one host to a server in a container.
const (
	publicRate   = 50 // connections per second from all public addresses
	addressRate  = 10 // and from one of them; what exceeds the rates waits
	failureLimit = 10 // failed handshakes within
	failureTime  = time.Minute
	banTime      = 10 * time.Minute
	maxDelay     = 30 * time.Second // who would have to wait for longer is turned away
)

// gate decides who may come in, and when. It is safe for concurrent use.
type gate struct {
	mu       sync.Mutex
	all      bucket
	visitors map[netip.Addr]*visitor // public addresses of late
	sweptAt  time.Time
}

// visitor is a public address.
type visitor struct {
	sessions int
	arrivals bucket
	failures int
	since    time.Time // of the first of these failures
	banned   time.Time // until then; zero: never
}

func newGate(at time.Time) *gate {
	return &gate{all: fill(publicRate, publicRate, at), visitors: make(map[netip.Addr]*visitor)}
}

// enter lets a connection from addr in, after a delay, unless it is refused.
// The caller calls leave for every one that was let in.
func (g *gate) enter(addr netip.Addr, limit int, at time.Time) (delay time.Duration, ok bool) {
	if !addr.IsValid() {
		return 0, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(at)
	v := g.visitors[addr]
	if v == nil {
		v = &visitor{arrivals: fill(addressRate, addressRate, at)}
	}
	if at.Before(v.banned) || v.sessions >= limit {
		return 0, false
	}
	if delay = max(g.all.wait(at), v.arrivals.wait(at)); delay > maxDelay {
		return 0, false
	}
	g.visitors[addr] = v // not before: who is turned away leaves no trace
	g.all.book()
	v.arrivals.book()
	v.sessions++
	return delay, true
}

// leave ends what enter began.
func (g *gate) leave(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.visitors[addr]; v != nil {
		v.sessions--
	}
}

// failed counts a handshake that no miner would make, and reports whether addr
// is now banned. An invalid share is no such thing, nor is a refused username,
// nor somebody who connects and leaves.
func (g *gate) failed(addr netip.Addr, at time.Time) (banned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.visitors[addr]
	if v == nil {
		return false
	}
	if at.Sub(v.since) > failureTime {
		v.failures, v.since = 0, at
	}
	if v.failures++; v.failures <= failureLimit {
		return false
	}
	v.failures = 0
	v.banned = at.Add(banTime)
	return true
}

// sweep forgets who has not been seen for a while.
func (g *gate) sweep(at time.Time) {
	if at.Sub(g.sweptAt) < time.Minute {
		return
	}
	g.sweptAt = at
	for addr, v := range g.visitors {
		if v.sessions == 0 && at.Sub(v.arrivals.at) > time.Minute && at.After(v.banned) {
			delete(g.visitors, addr)
		}
	}
}

// publicAddr returns the address by which a peer is counted, and the zero Addr
// for one that is not: private, loopback, link-local, or no IP address at all.
// An IPv6 host has a whole /64 to itself.
func publicAddr(peer net.Addr) netip.Addr {
	addr := addrOf(peer)
	// Carrier-grade NAT and private overlay networks (RFC 6598).
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || shared.Contains(addr) {
		return netip.Addr{}
	}
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // fails only for more bits than there are
		return prefix.Addr()
	}
	return addr
}
