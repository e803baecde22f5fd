package webui

import (
	"net"
	"net/netip"
	"sync"
)

// How many connections may be open, in all and from one visitor. A browser
// opens six; what is more than this is a flood.
const (
	maxConns       = 512
	maxConnsPerOne = 64
)

// crowd is a listener that bounds how many of its connections are open: those
// that find no place are closed at once, before they cost a goroutine. Loopback
// counts like everybody else.
type crowd struct {
	net.Listener
	mu    sync.Mutex
	total int
	from  map[netip.Prefix]int
}

func newCrowd(ln net.Listener) *crowd {
	return &crowd{Listener: ln, from: map[netip.Prefix]int{}}
}

// Accept returns the next connection that has a place.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := visitor(socketIP(conn.RemoteAddr().String()))
		if c.enter(who) {
			return &seat{Conn: conn, leave: sync.OnceFunc(func() { c.leave(who) })}, nil
		}
		_ = conn.Close()
	}
}

func (c *crowd) enter(who netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total >= maxConns || c.from[who] >= maxConnsPerOne {
		return false
	}
	c.total++
	c.from[who]++
	return true
}

func (c *crowd) leave(who netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.from[who]--; c.from[who] == 0 {
		delete(c.from, who)
	}
}

// seat is a connection that gives its place back when it is closed.
type seat struct {
	net.Conn
	leave func()
}

func (s *seat) Close() error {
	defer s.leave()
	return s.Conn.Close()
}

// CloseWrite lets net/http send an error to a client that is still writing:
// closing both directions would make the client's machine drop the answer.
func (s *seat) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
