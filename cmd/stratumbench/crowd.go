package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// crowd is many miners on one epoll loop. What it costs per share is two system
// calls and no allocation.
type crowd struct {
	epoll  int
	server unix.SockaddrInet4
	user   string // what every username begins with
	miners []*miner
	byFD   map[int32]*miner
	buffer []byte
	events []unix.EpollEvent

	working  int // miners that have a job
	failed   int // connections that broke
	accepted int64
	rejected int64

	onAnswer func(m *miner, at int64)
	onTip    func(at int64) // a clean job on another tip than the miner's last one
}

// miner is one connection.
type miner struct {
	fd        int
	hello     []byte   // to be sent when connected
	tip       [64]byte // the job's previous block
	rest      []byte   // of a line that has not arrived completely
	submit    []byte   // a mining.submit line, ready to send
	nonceAt   int      // where its nonce stands
	nonce     uint32
	working   bool
	due       []int64 // when the shares under way were due
	connected bool
}

func newCrowd(address string) (*crowd, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	return &crowd{
		epoll:  epoll,
		server: unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()},
		byFD:   map[int32]*miner{},
		buffer: make([]byte, 64<<10),
		events: make([]unix.EpollEvent, 512),
	}, nil
}

// connect begins the connection of one more miner.
func (c *crowd) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	m := &miner{fd: fd}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		// Closing resets: ten thousand ports in TIME_WAIT would be missing in the next measurement.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
	)
	if err != nil {
		return fmt.Errorf("set up socket: %w", err)
	}
	if err := unix.Connect(fd, &c.server); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	m.hello = fmt.Appendf(nil, `{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["%srig%d","x"]}`+"\n", c.user, len(c.miners))
	c.miners = append(c.miners, m)
	c.byFD[int32(fd)] = m
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch connection: %w", err)
	}
	return nil
}

// close ends all connections.
func (c *crowd) close() {
	for _, m := range c.miners {
		if m.fd >= 0 {
			_ = unix.Close(m.fd)
		}
	}
	_ = unix.Close(c.epoll)
}

// poll handles what has happened, and waits for it at most so many milliseconds.
func (c *crowd) poll(milliseconds int) error {
	n, err := unix.EpollWait(c.epoll, c.events, milliseconds)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for connections: %w", err)
	}
	at := now()
	for _, event := range c.events[:max(n, 0)] {
		m := c.byFD[event.Fd]
		if m == nil {
			continue
		}
		if !m.connected {
			c.greet(m)
			continue
		}
		c.read(m, at)
	}
	return nil
}

// greet sends the handshake on a connection that has just come about.
func (c *crowd) greet(m *miner) {
	if code, err := unix.GetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		c.drop(m)
		return
	}
	m.connected = true
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(m.fd)}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_MOD, m.fd, &event); err != nil {
		c.drop(m)
		return
	}
	c.write(m, m.hello)
	m.hello = nil
}

// write sends a few bytes, which always fit into the socket's buffer.
func (c *crowd) write(m *miner, b []byte) {
	if n, err := unix.Write(m.fd, b); err != nil || n != len(b) {
		c.drop(m)
	}
}

func (c *crowd) drop(m *miner) {
	if m.fd < 0 {
		return
	}
	_ = unix.Close(m.fd)
	delete(c.byFD, int32(m.fd))
	m.fd = -1
	c.failed++
	if m.working {
		m.working = false
		c.working--
	}
}

// read takes what has arrived.
func (c *crowd) read(m *miner, at int64) {
	n, err := unix.Read(m.fd, c.buffer)
	if err == unix.EAGAIN {
		return
	}
	if err != nil || n <= 0 {
		c.drop(m)
		return
	}
	data := c.buffer[:n]
	if len(m.rest) > 0 {
		data = append(m.rest, data...)
		m.rest = nil
	}
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		c.line(m, data[:end], at)
		data = data[end+1:]
	}
	if len(data) > 0 {
		m.rest = bytes.Clone(data)
	}
}

// line looks only as far into a line as it must.
func (c *crowd) line(m *miner, line []byte, at int64) {
	switch {
	case bytes.HasPrefix(line, []byte(`{"id":4,`)):
		if bytes.Contains(line, []byte(`"result":true`)) {
			c.accepted++
		} else {
			c.rejected++
		}
		if c.onAnswer != nil {
			c.onAnswer(m, at)
		}
	case bytes.Contains(line, []byte(`"mining.notify","params"`)):
		newTip := m.takeJob(line)
		if !m.working {
			m.working = true
			c.working++
		}
		if newTip && c.onTip != nil {
			c.onTip(at)
		}
	}
}

// takeJob makes the line with which the miner submits its shares, and tells
// whether it has to drop what it did:
//
//	params of notify: ["job id", "previous block", …, "time", clean]
func (m *miner) takeJob(line []byte) (newTip bool) {
	const before, between = `"params":["`, `","`
	from := bytes.Index(line, []byte(before)) + len(before)
	end := bytes.LastIndexByte(line, '"')
	tip := from + 8 + len(between)
	if tip+len(m.tip) > end {
		return false
	}
	m.submit = fmt.Appendf(m.submit[:0], `{"id":4,"method":"mining.submit","params":["rig","%s","0000000000000000","%s","00000000"]}`+"\n",
		line[from:from+8], line[end-8:end])
	m.nonceAt = len(m.submit) - len(`00000000"]}`) - 1

	last := m.tip
	copy(m.tip[:], line[tip:])
	return m.tip != last && bytes.HasSuffix(bytes.TrimSpace(line), []byte(`true]}`))
}

// next returns the line of the miner's next share. Every nonce is one.
func (m *miner) next() []byte {
	m.nonce++
	raw := [4]byte{byte(m.nonce >> 24), byte(m.nonce >> 16), byte(m.nonce >> 8), byte(m.nonce)}
	hex.Encode(m.submit[m.nonceAt:], raw[:])
	return m.submit
}
