package minersim_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
	"github.com/dmpool/dmpool/pool/work"
)

// Network targets for tests: a share costs as many hashes as a block.
const (
	bits512  = 0x1f7fffff // 512 hashes
	bits1k   = 0x1f3fffff
	bits2k   = 0x1f1fffff
	bitsHard = 0x17034219 // nothing will be found
)

// testPool is a stratum.Server with a chain made by hand behind it. It can be
// restarted.
type testPool struct {
	tb     testing.TB
	config stratum.Config
	listen func() (net.Listener, error)

	server *stratum.Server
	stop   context.CancelFunc
	served chan error

	mu       sync.Mutex
	height   int32
	bits     uint32
	accepted map[string]int // shares by username
	found    int
}

func newTestPool(tb testing.TB, c stratum.Config, listen func() (net.Listener, error)) *testPool {
	tb.Helper()
	p := &testPool{tb: tb, config: c, listen: listen, height: 800_000, bits: bits512, accepted: make(map[string]int)}
	p.start()
	return p
}

func (p *testPool) start() {
	p.tb.Helper()
	p.server = stratum.NewServer(p.config, p)
	p.publish(true)
	ln, err := p.listen()
	if err != nil {
		p.tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop, p.served = stop, make(chan error, 1)
	go func() { p.served <- p.server.Serve(ctx, ln) }()
}

func (p *testPool) close() {
	p.tb.Helper()
	p.stop()
	if err := <-p.served; err != nil {
		p.tb.Errorf("Serve = %v", err)
	}
}

// publish sends a job of a new template on the present tip.
func (p *testPool) publish(clean bool) {
	p.tb.Helper()
	target, err := work.TargetFromBits(p.bits)
	if err != nil {
		p.tb.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	t := &work.Template{
		Height: p.height, Version: 0x30000004, PrevHash: p.tip(), Bits: p.bits, Target: target,
		CurTime: now, MinTime: now - 600, CoinbaseValue: 312_500_000,
		WitnessCommitment: append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, make([]byte, 32)...),
	}
	for i := range 12 {
		t.Branches = append(t.Branches, chainhash.Hash(bytes.Repeat([]byte{byte(i), byte(p.height)}, 16)))
	}
	script := append([]byte{0x51, 0x20}, make([]byte, 32)...) // P2TR, the largest of the usual ones
	job, err := work.NewJob(t, work.Layout{Tag: "/DMPool/", Outputs: []work.Output{{Script: script, Value: t.CoinbaseValue}}},
		p.server.NextJobID(), now)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.server.Publish(job, clean)
}

// tip is a hash whose 32 bytes all differ, so that none can be in the wrong
// place.
func (p *testPool) tip() (h chainhash.Hash) {
	for i := range h {
		h[i] = byte(p.height) + byte(7*i)
	}
	return h
}

func (p *testPool) newTip(bits uint32) {
	p.height++
	p.bits = bits
	p.publish(true)
}

func (p *testPool) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	address, name, _ := strings.Cut(username, ".")
	return stratum.Worker{Address: address, Name: name}, nil
}

func (p *testPool) Found(stratum.Share) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found++
}

func (p *testPool) Accepted(_ context.Context, s stratum.Share) (stratum.Commit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted[s.Worker.Name]++
	return durable{}, nil
}

func (p *testPool) Rejected(stratum.Worker, string) {}

// acceptedOf counts the shares of all names of a device.
func (p *testPool) acceptedOf(name string) (n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for worker, count := range p.accepted {
		if worker == name || strings.HasPrefix(worker, name+"-") {
			n += uint64(count)
		}
	}
	return n
}

// durable is a share that is on the disk already.
type durable struct{}

func (durable) Wait(context.Context) error { return nil }

// pipes is a network in memory, on which a test can run on fake time.
type pipes struct {
	mu sync.Mutex
	ln *pipeListener // nil: nobody listens
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) listen() (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ln = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return p.ln, nil
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	ln := p.ln
	p.mu.Unlock()
	client, server := net.Pipe()
	select {
	case ln.conns <- server:
		return client, nil
	case <-ln.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// fleet runs devices until it is stopped.
type fleet struct {
	devices []*minersim.Device
	stop    context.CancelFunc
	running sync.WaitGroup
	errs    []error
}

// run starts the devices, each with its name as its worker's name.
func run(devices ...*minersim.Device) *fleet {
	ctx, stop := context.WithCancel(context.Background())
	f := &fleet{devices: devices, stop: stop, errs: make([]error, len(devices))}
	for i, d := range devices {
		f.running.Go(func() { f.errs[i] = d.Run(ctx) })
	}
	return f
}

// end stops the devices and reports what they had to complain about.
func (f *fleet) end(tb testing.TB) {
	tb.Helper()
	f.stop()
	f.running.Wait()
	for i, err := range f.errs {
		if err != nil {
			tb.Errorf("%s: %v", f.devices[i].Profile.Name, err)
		}
	}
}

// workerName makes a username of a profile's name.
func workerName(p minersim.Profile) string {
	return strings.ReplaceAll(strings.ToLower(p.Name), " ", "_")
}

func newDevice(p minersim.Profile, dial func(context.Context) (net.Conn, error)) *minersim.Device {
	return &minersim.Device{
		Profile: p, Dial: dial, User: "addr." + workerName(p), Password: "x", Hashrate: 200,
		Ticket: 5e-7, // the difficulty of bits2k
	}
}
