package minersim

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Crowd is many small devices at one pool, and somebody who knocks at its ports
// without a pause. It notices what a restart of the pool does to them.
type Crowd struct {
	devices         []*Device
	refused, knocks atomic.Int64
}

// NewCrowd makes n devices that mine for one address, a share in about five seconds
// each. They take small difficulties, and ask for their session again.
func NewCrowd(pool, address string, n int) *Crowd {
	profile := Profiles()[0]
	for _, p := range Profiles() {
		if strings.HasPrefix(p.Name, "cpuminer") {
			profile = p
		}
	}
	profile.Retry = 100 * time.Millisecond
	c := &Crowd{}
	for i := range n {
		c.devices = append(c.devices, &Device{
			Profile: profile, User: fmt.Sprintf("%s.rig%d", address, i),
			Password: "d=0.00001", Hashrate: 8000, Patience: 50,
			Dial: func(ctx context.Context) (net.Conn, error) { return c.dial(ctx, pool) },
		})
	}
	return c
}

func (c *Crowd) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil && ctx.Err() == nil {
		c.refused.Add(1)
	}
	return conn, err
}

// Run mines and knocks at the doors, until ctx ends. It returns the first thing that a
// device cannot bear.
func (c *Crowd) Run(ctx context.Context, doors ...string) error {
	var group sync.WaitGroup
	var once sync.Once
	var first error
	for _, d := range c.devices {
		group.Go(func() {
			if err := d.Run(ctx); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	for _, door := range doors {
		group.Go(func() {
			for ctx.Err() == nil {
				if conn, err := c.dial(ctx, door); err == nil {
					c.knocks.Add(1)
					_ = conn.Close()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	group.Wait()
	return first
}

// Accepted returns how many shares of each device were accepted.
func (c *Crowd) Accepted() []uint64 {
	all := make([]uint64, len(c.devices))
	for i, d := range c.devices {
		all[i] = d.Stats().Accepted
	}
	return all
}

// GoesOn tells whether each device had a share accepted since.
func (c *Crowd) GoesOn(since []uint64) bool {
	for i, n := range c.Accepted() {
		if n <= since[i] {
			return false
		}
	}
	return true
}

// Experience is what a crowd has been through.
type Experience struct {
	Knocks, Refused   int64             // connections, of knockers and devices
	FewestConnections int               // of a device
	MostConnections   int               // of a device
	Stale             uint64            // shares that came too late for their job
	Rejected          map[string]uint64 // other shares, by the pool's text
}

// Experience returns what the crowd has been through so far.
func (c *Crowd) Experience() Experience {
	e := Experience{Knocks: c.knocks.Load(), Refused: c.refused.Load(), Rejected: map[string]uint64{}}
	for i, d := range c.devices {
		s := d.Stats()
		if i == 0 || s.Connections < e.FewestConnections {
			e.FewestConnections = s.Connections
		}
		e.MostConnections = max(e.MostConnections, s.Connections)
		for why, n := range s.Rejected {
			// A new job may come between a share and its way; a session that is not its
			// own any more may not.
			if text := strings.ToLower(why); strings.Contains(text, "stale") || strings.Contains(text, "job not found") {
				e.Stale += n
			} else {
				e.Rejected[why] += n
			}
		}
	}
	return e
}
