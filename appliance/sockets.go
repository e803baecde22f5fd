package appliance

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/dmpool/dmpool/pool"
)

// Sockets are listening sockets that the service manager has opened for us, by
// the FileDescriptorName of their units: "http", "https", "api", "stratum", and "stratum-small",
// "stratum-high", "stratum-tls" for the extra ports. As it keeps them open while
// the program restarts, no miner is ever refused: it waits in the queue.
type Sockets map[string]net.Listener

// InheritSockets takes the sockets that were passed to this process
// (sd_listen_fds(3)). Where there is no service manager there are none.
func InheritSockets() (Sockets, error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("take the service manager's sockets: %w", err)
	}
	sockets := Sockets{}
	for name, list := range named {
		known := slices.Contains([]string{"http", "https", "api", stratumSocket}, name) || strings.HasPrefix(name, stratumSocket+"-")
		if len(list) != 1 || list[0] == nil || !known {
			return nil, fmt.Errorf("the service manager passed %d sockets named %q; pass one each of http, https, api, stratum, stratum-small, stratum-high, stratum-tls", len(list), name)
		}
		sockets[name] = list[0]
	}
	return sockets, nil
}

const stratumSocket = "stratum"

// Listen returns the inherited socket of that name when it is at addr, or when no
// addr is wished for. Otherwise it opens a port, see [Listen], and whoever knocks
// at the inherited one is turned away until ctx ends: a miner that is not answered
// there would wait instead of trying its next pool.
func (s Sockets) Listen(ctx context.Context, log *slog.Logger, name, purpose, addr, flag string) (net.Listener, error) {
	given := s[name]
	if given != nil && (addr == "" || fits(ctx, given.Addr(), addr)) {
		return given, nil
	}
	ln, err := Listen(ctx, purpose, addr, flag)
	if err != nil || given == nil {
		return ln, err
	}
	s.TurnAway(ctx, name)
	log.Warn("The service manager holds another port than the settings name; this one is refused while the program restarts",
		"for", purpose, "held", given.Addr().String(), "used", ln.Addr().String(),
		"next", fmt.Sprintf("set ListenStream= in `systemctl edit dmpool-%s.socket`, or %s back", name, flag))
	return ln, nil
}

// TurnAway refuses everybody at the inherited socket of that name, if there is
// one, until ctx ends.
func (s Sockets) TurnAway(ctx context.Context, name string) {
	ln := s[name]
	if ln == nil {
		return
	}
	delete(s, name)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	go func() {
		defer stop()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
}

// fits tells whether an open socket is at the address of a setting. All addresses
// of this machine are written in many ways.
func fits(ctx context.Context, open net.Addr, wish string) bool {
	at, ok := open.(*net.TCPAddr)
	if !ok {
		return false
	}
	host, service, err := net.SplitHostPort(wish)
	if err != nil {
		return false
	}
	if port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service); err != nil || port != at.Port {
		return false
	}
	ip := net.ParseIP(host)
	if host == "" || ip != nil && ip.IsUnspecified() {
		return at.IP.IsUnspecified()
	}
	return ip != nil && ip.Equal(at.IP)
}

// extra returns the sockets of the extra ports.
func (s Sockets) extra() (list []net.Listener) {
	for name, ln := range s {
		if strings.HasPrefix(name, stratumSocket+"-") {
			list = append(list, ln)
		}
	}
	return list
}

// extraPorts tells the pool how to get the ports that the settings ask for.
func (a *Appliance) extraPorts() pool.ExtraPorts {
	open := map[string]net.Listener{}
	for name, ln := range a.config.Sockets {
		if profile, ok := strings.CutPrefix(name, stratumSocket+"-"); ok {
			open[profile] = ln
		}
	}
	return pool.ExtraPorts{
		Open: open,
		Listen: func(ctx context.Context, purpose string, port int) (net.Listener, error) {
			return Listen(ctx, purpose, ":"+strconv.Itoa(port), "another setting")
		},
		TLS: func() (*tls.Config, error) { return stratumTLS(a.dir.certificate()) },
	}
}
