package stratum

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
	"unicode"
)

// Limits of what a stranger may send.
const (
	maxLine         = 8 << 10          // bytes in a line, without its end
	maxEarlyLine    = 4 << 10          // the same before the first authorize
	lineTimeout     = 10 * time.Second // from a line's first byte to its last
	firstBufferSize = 512              // what a quiet miner needs
	busyBufferSize  = 4 << 10          // for one that sends much at once
)

var (
	errLineTooLong = errors.New("line too long")
	errGarbage     = errors.New("not the Stratum protocol")
)

// lineReader cuts a connection into lines. It grows its buffer only as far as
// the longest line so far needs.
type lineReader struct {
	conn     net.Conn
	deadline readDeadline
	idle     time.Time // when to give up waiting for a line to begin; zero: never

	buf     []byte
	r, w    int // buf[r:w] has not been returned yet
	scanned int // buf[r:scanned] has no newline
	begun   time.Time
	sniffed bool
	filled  bool // the last read left no room
}

func newLineReader(conn net.Conn, idle time.Time) lineReader {
	return lineReader{
		conn:     conn,
		deadline: readDeadline{conn: conn},
		idle:     idle,
		buf:      make([]byte, firstBufferSize),
	}
}

// next returns the next line that is not blank, without white space around it;
// it is valid until the following call. It returns errLineTooLong when the line
// exceeds limit bytes and errGarbage when the connection does not begin like
// a JSON object, in both cases without waiting for the line's end.
func (l *lineReader) next(limit int) ([]byte, error) {
	for {
		if n := bytes.IndexByte(l.buf[l.scanned:l.w], '\n'); n >= 0 {
			line := l.buf[l.r : l.scanned+n]
			l.r = l.scanned + n + 1
			l.scanned = l.r
			l.begun = time.Time{}
			if len(line) > limit {
				return nil, errLineTooLong
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return line, nil
			}
			continue
		}
		l.scanned = l.w
		if l.w-l.r > limit {
			return nil, errLineTooLong
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// more reports whether another complete line that is not blank has already
// arrived, so that next will not wait.
func (l *lineReader) more() bool {
	ahead := bytes.TrimLeftFunc(l.buf[l.r:l.w], unicode.IsSpace)
	return bytes.IndexByte(ahead, '\n') >= 0
}

// fill reads once.
func (l *lineReader) fill() error {
	if l.r > 0 {
		copy(l.buf, l.buf[l.r:l.w])
		l.w -= l.r
		l.scanned -= l.r
		l.r = 0
	}
	if l.w == len(l.buf) || l.filled && len(l.buf) < busyBufferSize {
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}

	if err := l.deadline.set(l.until()); err != nil {
		return err
	}
	n, err := l.conn.Read(l.buf[l.w:])
	l.w += n
	l.filled = l.w == len(l.buf)
	if n == 0 && err != nil {
		return err
	}
	return l.sniff()
}

// until returns how long the next read may take.
func (l *lineReader) until() time.Time {
	until := l.idle
	if l.w > 0 {
		if l.begun.IsZero() {
			l.begun = time.Now()
		}
		if end := l.begun.Add(lineTimeout); until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until
}

// sniff looks at the first byte that is not white space. HTTP, TLS and the
// like need not be waited for.
func (l *lineReader) sniff() error {
	if l.sniffed {
		return nil
	}
	head := bytes.TrimSpace(l.buf[l.r:l.w])
	if len(head) == 0 {
		return nil
	}
	l.sniffed = true
	if head[0] != '{' {
		return errGarbage
	}
	return nil
}

// readDeadline is a connection's read deadline with two owners: the reader,
// who moves it about, and the server, who sets the last one when it stops.
type readDeadline struct {
	conn net.Conn

	mu   sync.Mutex
	now  time.Time
	last time.Time
}

// set moves the deadline, but never behind the last one.
func (d *readDeadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.last.IsZero() && (t.IsZero() || t.After(d.last)) {
		t = d.last
	}
	if t.Equal(d.now) {
		return nil
	}
	d.now = t
	return d.conn.SetReadDeadline(t)
}

// end sets the last deadline.
func (d *readDeadline) end(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now, d.last = t, t
	_ = d.conn.SetReadDeadline(t) // fails only on a connection that is closed
}
