package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// Listen opens a TCP port, or says in a sentence which one is taken, what for
// it was wanted, and by which program it is held where that can be seen.
func Listen(ctx context.Context, purpose, addr, flag string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		return ln, nil
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("port %s for %s is taken by %s; stop that program or choose another port with %s", addr, purpose, holder(ctx, addr), flag)
	}
	if errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("port %s for %s needs more rights than this user has; choose a port above 1023 with %s", addr, purpose, flag)
	}
	return nil, fmt.Errorf("listen on %s for %s: %w", addr, purpose, err)
}

// holder names the program that listens on addr's port, or how to find out.
func holder(ctx context.Context, addr string) string {
	_, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "another program"
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return "another program"
	}
	if owner := bitcoind.PortOwner(port); strings.HasPrefix(owner, "process ") {
		return owner
	} else if owner != "" {
		return fmt.Sprintf("%s (sudo ss -ltnp 'sport = :%d' names it)", owner, port)
	}
	return fmt.Sprintf("another program (sudo ss -ltnp 'sport = :%d' names it)", port)
}

// lanAddresses returns this box's own IP addresses that a miner at home could
// reach: private and link-local IPv4 first, then the other addresses that are
// up. Loopback comes last, so that there is always one.
func lanAddresses() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return []string{"127.0.0.1"}
	}
	var private, other []string
	for _, a := range addrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok || ipnet.IP.IsLoopback() || ipnet.IP.IsLinkLocalUnicast() {
			continue
		}
		if ip4 := ipnet.IP.To4(); ip4 != nil && ip4.IsPrivate() {
			private = append(private, ip4.String())
			continue
		}
		other = append(other, ipnet.IP.String())
	}
	return append(append(private, other...), "127.0.0.1")
}

// PageAddress is where a browser finds the pages that are served there: in the
// home network, unless they are for one address only.
func PageAddress(pages net.Addr) string {
	host, port, err := net.SplitHostPort(pages.String())
	if err != nil {
		return "http://" + pages.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = lanAddresses()[0]
	}
	return "http://" + net.JoinHostPort(host, port)
}
