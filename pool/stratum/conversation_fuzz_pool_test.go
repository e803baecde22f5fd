package stratum_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// publish sends a job on the present tip. Every second hash is a block.
func (c *conversation) publish(clean bool) {
	const bits = 0x207fffff
	target, err := work.TargetFromBits(bits)
	if err != nil {
		c.t.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	template := &work.Template{
		Height: 100, Version: 0x30000000, PrevHash: chainhash.Hash{1, 2, 3, 4, 5: c.tip}, Bits: bits, Target: target,
		CurTime: now, MinTime: now - 600, CoinbaseValue: 50e8, Branches: make([]chainhash.Hash, 2),
	}
	job, err := work.NewJob(template, work.Layout{Tag: "/fuzz/", Outputs: []work.Output{{Script: []byte{0x51}, Value: 50e8}}},
		c.server.NextJobID(), now)
	if err != nil {
		c.t.Fatal(err)
	}
	c.server.Publish(job, clean)
}

// books is a backend that keeps every share, each after a moment.
type books struct {
	mu           sync.Mutex
	shares       []stratum.Share
	difficulties map[float64]bool // that were announced
}

func (b *books) announce(d float64) { b.difficulties[d] = true }

func (b *books) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	switch username {
	case "bad":
		return stratum.Worker{}, &stratum.RefusalError{Reason: "Address is for testnet"}
	case "down":
		return stratum.Worker{}, errors.New("down")
	}
	address, name, _ := strings.Cut(username, ".")
	return stratum.Worker{Address: address, Name: name}, nil
}

func (b *books) Found(stratum.Share) {}

func (b *books) Accepted(_ context.Context, s stratum.Share) (stratum.Commit, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares = append(b.shares, s)
	return slowDisk{}, nil
}

func (b *books) Rejected(stratum.Worker, string) {}

type slowDisk struct{}

func (slowDisk) Wait(context.Context) error {
	time.Sleep(3 * time.Millisecond)
	return nil
}

// oneConnection is a listener to which somebody connects once.
type oneConnection struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneConnection) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConnection) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConnection) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
