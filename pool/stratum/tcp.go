package stratum

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	writeTime   = 10 * time.Second // for one write
	unackedTime = 60 * time.Second // for the miner's kernel to confirm what was sent
	sendBuffer  = 128 << 10        // bytes that the kernel holds for a miner that does not read
)

// tuneTCP makes a dead peer show within two minutes, and within one if there is
// something to send to it. Go's default of not delaying small writes is what we
// need, too.
func tuneTCP(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetNoDelay(true)
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: 45 * time.Second, Interval: 15 * time.Second, Count: 4,
	})
	_ = tcp.SetWriteBuffer(sendBuffer)
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedTime.Milliseconds()))
		})
	}
}

// pen writes to a connection. One goroutine at a time may use it.
type pen struct {
	conn net.Conn
	raw  syscall.RawConn // nil: the connection can only be written to with patience
	once func(fd uintptr) (done bool)

	rest []byte // of what once has to write
	err  error
}

func newPen(conn net.Conn) pen {
	p := pen{conn: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			p.raw = raw
		}
	}
	return p
}

// try writes as much as the kernel takes at once, and returns the rest. A
// connection without a kernel's buffer behind it takes nothing.
func (p *pen) try(text []byte) (rest []byte, err error) {
	if p.raw == nil {
		return text, nil
	}
	if p.once == nil { // made once, not for every write
		p.once = func(fd uintptr) bool {
			n, err := syscall.Write(int(fd), p.rest)
			if n > 0 {
				p.rest = p.rest[n:]
			}
			if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
				p.err = err
			}
			return true
		}
	}
	p.rest, p.err = text, nil
	err = p.raw.Write(p.once)
	rest, p.rest = p.rest, nil
	return rest, errors.Join(p.err, err)
}

// write writes everything, however long the miner takes to read it, up to
// writeTime.
func (p *pen) write(text []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := p.conn.Write(text)
	return errors.Join(err, p.conn.SetWriteDeadline(time.Time{}))
}
