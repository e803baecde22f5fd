package stratum

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// maxProxyHeader is the greatest length of a PROXY header of version 1, with
// its CR LF, in bytes.
const maxProxyHeader = 107

var errProxyHeader = errors.New("no PROXY header")

// trusts reports whether a peer is a proxy that may say whom it speaks for.
func (c *Config) trusts(peer net.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok || len(c.TrustedProxies) == 0 {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, prefix := range c.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// proxied reads the header with which a proxy begins each connection
// (haproxy.org, "The PROXY protocol", version 1) and returns the address that it
// speaks for, or the proxy's own where it does not know it:
//
//	PROXY TCP4 203.0.113.5 192.0.2.1 40000 3333\r\n
//
// It reads no byte of what follows.
func proxied(conn net.Conn) (net.Addr, error) {
	if err := conn.SetReadDeadline(time.Now().Add(lineTimeout)); err != nil {
		return nil, err
	}
	header := make([]byte, 0, maxProxyHeader)
	for !strings.HasSuffix(string(header), "\r\n") {
		if len(header) == cap(header) {
			return nil, errProxyHeader
		}
		next := header[len(header) : len(header)+1]
		if _, err := conn.Read(next); err != nil {
			return nil, fmt.Errorf("read PROXY header: %w", err)
		}
		header = header[:len(header)+1]
	}
	fields := strings.Fields(string(header))
	switch {
	case len(fields) >= 2 && fields[0] == "PROXY" && fields[1] == "UNKNOWN":
		return conn.RemoteAddr(), nil
	case len(fields) != 6 || fields[0] != "PROXY":
		return nil, errProxyHeader
	}
	source, err := netip.ParseAddrPort(net.JoinHostPort(fields[2], fields[4]))
	if err != nil {
		return nil, fmt.Errorf("read PROXY header: %w", err)
	}
	return net.TCPAddrFromAddrPort(source), nil
}
