package device

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	atOnce   = 32              // addresses that are asked at the same time
	widest   = 22              // bits of the largest network that is looked at as a whole
	scanWait = 5 * time.Minute // a /22 in which every address answers nothing takes less
)

// Subnet is a network that this machine is in.
type Subnet struct {
	Prefix netip.Prefix // what is looked at
	Own    netip.Addr   // of this machine
	Name   string       // of the network card
	Whole  netip.Prefix // the network, if it is larger than what is looked at
}

// Subnets returns the private IPv4 networks that this machine is in. Of one that is
// larger than a /22 it is the /22 around this machine.
func (l *LAN) Subnets() []Subnet {
	if l.config.Subnets != nil {
		return slices.Clone(l.config.Subnets)
	}
	cards, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []Subnet
	for _, card := range cards {
		if card.Flags&(net.FlagUp|net.FlagLoopback) != net.FlagUp {
			continue
		}
		addrs, err := card.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				found = append(found, l.subnets(card.Name, prefix)...)
			}
		}
	}
	return found
}

// subnets is the subnet of one address of this machine, if it is one to look at.
func (l *LAN) subnets(card string, prefix netip.Prefix) []Subnet {
	own := prefix.Addr()
	if !l.May(own) || prefix.Bits() > 30 {
		return nil
	}
	s := Subnet{Prefix: prefix.Masked(), Own: own, Name: card}
	if prefix.Bits() < widest {
		s.Whole = s.Prefix
		s.Prefix = netip.PrefixFrom(own, widest).Masked()
	}
	return []Subnet{s}
}

// Hosts is how many addresses a scan looks at.
func (s Subnet) Hosts() int {
	n := 0
	for range s.hosts {
		n++
	}
	return n
}

// hosts yields the addresses of a subnet but for its own, its first and its last one.
func (s Subnet) hosts(yield func(netip.Addr) bool) {
	for ip := s.Prefix.Addr().Next(); s.Prefix.Contains(ip.Next()); ip = ip.Next() {
		if ip != s.Own && !yield(ip) {
			return
		}
	}
}

// Scan looks at every address of a subnet once. It calls asked after each, one at a
// time, with the device that answered or nil. It returns nil when it has looked at all.
func (l *LAN) Scan(ctx context.Context, s Subnet, asked func(*Device)) error {
	ctx, cancel := context.WithTimeout(ctx, scanWait)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(atOnce)
	var mu sync.Mutex
	for ip := range s.hosts {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			var found *Device
			if d, err := l.Read(ctx, ip); err == nil {
				found = &d
			}
			mu.Lock()
			defer mu.Unlock()
			if ctx.Err() == nil || found != nil {
				asked(found)
			}
			return nil
		})
	}
	_ = g.Wait() // no error
	return ctx.Err()
}
