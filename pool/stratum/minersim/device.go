package minersim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Device is one simulated miner. Set its fields before [Device.Run].
type Device struct {
	Profile  Profile
	Dial     func(context.Context) (net.Conn, error)
	User     string // ADDRESS.NAME; further names on the connection get a number
	Password string
	Hashrate float64 // H/s
	// Ticket is the least difficulty that the chips report, 256 on a Bitaxe. It
	// is what remains when firmware that knows only integers reads a difficulty
	// below 1 as none at all.
	Ticket float64
	// Patience multiplies the time limits of the firmware, for machines that are
	// busy with other things; 0 means 1.
	Patience float64

	sid    string  // of the last session
	last   *search // what it was working on
	lostAt time.Time

	mu    sync.Mutex
	stats Stats
}

// Stats is what a device has seen so far.
type Stats struct {
	Connections  int
	Jobs         int
	Difficulties int // changes of it
	Hashes       uint64
	Kept         uint64 // shares found without a connection and sent later
	Accepted     uint64
	Rejected     map[string]uint64 // by the pool's text
	Tips         [][32]byte        // previous blocks of the jobs, in the order of their coming
}

// Stats returns a snapshot. It may be called while the device runs.
func (d *Device) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Rejected, s.Tips = maps.Clone(s.Rejected), slices.Clone(s.Tips)
	return s
}

// Refused returns the number of all rejected shares.
func (s Stats) Refused() (n uint64) {
	for _, count := range s.Rejected {
		n += count
	}
	return n
}

func (d *Device) note(change func(*Stats)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.stats)
}

// FaultError is what the pool did that this firmware cannot bear.
type FaultError struct {
	Device string // name of the profile
	What   string
	Line   string // the pool's last line
}

func (f *FaultError) Error() string {
	return fmt.Sprintf("%s: %s, after %.300q", f.Device, f.What, f.Line)
}

// errMovedOn is the end of a device that has turned to its next pool.
var errMovedOn = errors.New("too many connections without work: turns to its next pool")

// Run mines until ctx ends, and then returns nil. It returns a *FaultError when the
// firmware would have choked, and another error when the device would have
// turned to another pool.
func (d *Device) Run(ctx context.Context) error {
	for failures := 0; ; {
		worked, err := d.connect(ctx)
		_, fault := errors.AsType[*FaultError](err)
		switch {
		case ctx.Err() != nil:
			return nil
		case fault:
			return err
		case worked:
			failures = 0
		default:
			failures++
		}
		if p := &d.Profile; p.Attempts > 0 && failures >= p.Attempts {
			return fmt.Errorf("%s: %w: %w", p.Name, errMovedOn, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(d.Profile.Retry):
		}
	}
}

// connect is one connection from beginning to end. It reports whether there
// was work.
func (d *Device) connect(ctx context.Context) (worked bool, err error) {
	conn, err := d.Dial(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer hangUp()
	d.note(func(s *Stats) { s.Connections++ })

	if d.Profile.Visit == OneRead {
		return true, d.look(conn)
	}
	c := newConversation(d, conn)
	ended := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { c.listen(ended) })
	err = c.run(ctx)
	close(ended)
	_ = conn.Close()
	reader.Wait()
	d.last, d.lostAt = c.search, time.Now()
	return c.search != nil, err
}

// limit returns a time limit of the firmware as it is on this machine.
func (d *Device) limit(t time.Duration) time.Duration {
	if d.Patience > 0 {
		return time.Duration(float64(t) * d.Patience)
	}
	return t
}

// username returns one of the names of the connection.
func (d *Device) username(i int) string {
	if i == 0 {
		return d.User
	}
	return fmt.Sprintf("%s-%d", d.User, i)
}

// difficulty returns what the firmware makes of an announced difficulty.
func (d *Device) difficulty(announced float64) float64 {
	if d.Profile.Truncate {
		announced = max(float64(uint32(announced)), d.Ticket)
	}
	if d.Profile.Loose {
		const pdiff = float64(0xffff) / 0x10000
		announced *= pdiff
	}
	return announced
}
