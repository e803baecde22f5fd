package appliance

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/vitals"
	"github.com/dmpool/dmpool/pool/node"
)

const (
	sampleEvery = 30 * time.Second
	samplesKept = 720 // six hours
)

// Sample is how the box was at one moment, or since the one before. A nil pointer is
// not known: the kernel does not tell, or the pool was not running.
type Sample struct {
	At          time.Time
	Busy        *float64 // part of all cores, 0 to 1
	MemoryUsed  *float64 // bytes
	DiskFree    *float64 // bytes
	Received    *float64 // bytes per second
	Sent        *float64
	Celsius     *float64
	Connections *float64 // miners
	Shares      *float64 // per second, accepted or not
	Rejected    *float64 // part of them; nil when there were none
	RPCMedian   *float64 // seconds
	RPCP99      *float64
	Calls       uint64 // to the node, since the process began
	Failed      uint64 // of these
}

// monitor remembers samples. They live in memory only: a restart begins anew, which
// a gap in a chart says better than an old line.
type monitor struct {
	mu      sync.Mutex
	samples []Sample // oldest first
	latest  reading
}

// reading is what rates are made of.
type reading struct {
	machine            vitals.Reading
	accepted, rejected uint64
	pool               bool
}

// run samples until ctx ends.
func (m *monitor) run(ctx context.Context, a *Appliance) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		m.add(a.sample(time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample measures. What the disk has and what the node answers is not worth an error
// here: health tells of it.
func (a *Appliance) sample(now time.Time) (Sample, reading) {
	next := reading{machine: vitals.Read(now)}
	s := Sample{At: now, Celsius: next.machine.Celsius}
	if total, left := next.machine.Memory, next.machine.Available; total != nil && left != nil {
		s.MemoryUsed = new(float64(*total - *left))
	}
	if disk, err := bitcoind.Survey(a.dir.root); err == nil {
		s.DiskFree = new(float64(disk.DiskFree))
	}
	if p := a.pool.Load(); p != nil {
		counts := p.Metrics()
		next.pool, next.accepted, next.rejected = true, counts.Accepted, counts.Rejected
		s.Connections = new(float64(len(p.Status().Sessions)))
		rpc := a.node.Timing()
		s.Calls, s.Failed = rpc.Calls, rpc.Failed
		if rpc.Median > 0 {
			s.RPCMedian, s.RPCP99 = new(rpc.Median.Seconds()), new(rpc.P99.Seconds())
		}
	}
	return s, next
}

// add completes s with the rates since the sample before and keeps it.
func (m *monitor) add(s Sample, now reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.latest
	m.latest = now
	rate := now.machine.Since(before.machine)
	s.Busy, s.Received, s.Sent = rate.Busy, rate.Received, rate.Sent
	if now.pool && before.pool {
		all := now.accepted + now.rejected - before.accepted - before.rejected
		s.Shares = new(float64(all) / now.machine.At.Sub(before.machine.At).Seconds())
		if all > 0 {
			s.Rejected = new(float64(now.rejected-before.rejected) / float64(all))
		}
	}
	if len(m.samples) == samplesKept {
		m.samples = append(m.samples[:0:0], m.samples[1:]...)
	}
	m.samples = append(m.samples, s)
}

// before returns the newest sample of a time or before it, if there is one.
func (m *monitor) before(at time.Time) (Sample, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Backward(m.samples) {
		if !s.At.After(at) {
			return s, true
		}
	}
	return Sample{}, false
}

// Samples returns how the box was in the last hours, every 30 seconds, oldest first.
func (a *Appliance) Samples() []Sample {
	a.monitor.mu.Lock()
	defer a.monitor.mu.Unlock()
	return append([]Sample(nil), a.monitor.samples...)
}

// BoxStatus is what the box is made of, and what fills it.
type BoxStatus struct {
	StartedAt time.Time // of this process
	Cores     int
	Memory    *int64 // bytes
	Own       *int64 // bytes of memory of this process
	DiskTotal *int64 // bytes, of the disk with the data directory
	DiskFree  *int64
	Folders   []FolderSize
	RPC       node.Timing
}

// FolderSize is what a part of the data directory takes.
type FolderSize struct {
	Name  string // "ledger", "shares", "node", "core"
	Path  string
	Bytes int64
}

// Box measures. It walks through the data directory, so ask it now and then only.
func (a *Appliance) Box() BoxStatus {
	machine := vitals.Read(time.Now())
	s := BoxStatus{StartedAt: a.startedAt, Cores: machine.Cores, Memory: machine.Memory, Own: machine.Own}
	if disk, err := bitcoind.Survey(a.dir.root); err == nil {
		s.DiskTotal, s.DiskFree = &disk.DiskTotal, &disk.DiskFree
	}
	if a.pool.Load() != nil { // the node's client is made before the pool
		s.RPC = a.node.Timing()
	}
	for _, part := range []struct{ name, path string }{
		{"ledger", a.dir.ledger(a.network)},
		{"shares", a.dir.shares(a.network)},
		{"node", a.dir.node(a.network)},
		{"core", a.dir.core()},
	} {
		if size := sizeOf(part.path); size > 0 {
			s.Folders = append(s.Folders, FolderSize{part.name, part.path, size})
		}
	}
	return s
}

// sizeOf adds up the files below a path; of a database, its companions belong to it.
// What cannot be read is not counted.
func sizeOf(root string) int64 {
	var sum int64
	for _, path := range []string{root, root + "-wal", root + "-shm"} {
		_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
			return nil
		})
	}
	return sum
}
