package appliance

import (
	"context"
	"crypto/tls"
	"fmt"
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

// Listen returns the inherited socket of that name, or else opens a port, see
// [Listen].
func (s Sockets) Listen(ctx context.Context, name, purpose, addr, flag string) (net.Listener, error) {
	if ln := s[name]; ln != nil {
		return ln, nil
	}
	return Listen(ctx, purpose, addr, flag)
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
