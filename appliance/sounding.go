package appliance

import (
	"context"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
)

// Sounding is what the box asks the node every half minute, so that no page has to. A nil
// pointer is not known: the node did not tell.
type Sounding struct {
	At        time.Time // zero: not yet
	Mempool   *Mempool
	FeeRates  []FeeRate // as far as it has estimates
	Coins     *Coins
	DiskLasts *time.Duration // until it would have to be stopped for want of room; nil: not measured, or the disk does not fill up
}

// Mempool is the transactions that wait for a block.
type Mempool struct {
	Txs   int
	Bytes int64 // virtual size
}

// Coins counts the coins of the wallet that are mature.
type Coins struct {
	Free  int // that a payout can take
	Taken int // by payouts under way
}

// FeeRate is what the node says that a transaction has to pay.
type FeeRate struct {
	Blocks int    // within which it confirms then
	Rate   string // sat/vB
}

// feeTargets are about 20 minutes, an hour and a day.
func feeTargets() []int { return []int{2, 6, 144} }

// sounder asks and remembers.
type sounder struct {
	mu     sync.Mutex
	last   Sounding
	growth growth
}

// run asks until ctx ends.
func (s *sounder) run(ctx context.Context, a *Appliance) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	runner := a.runner.Load()
	for {
		changed := runner.Changed()
		if a.nodeIsReady() {
			s.take(ctx, a)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-changed:
		}
	}
}

// take asks once. What the node does not answer stays unknown; health tells of it.
func (s *sounder) take(ctx context.Context, a *Appliance) {
	now := time.Now()
	next := Sounding{At: now}
	if m, err := a.node.MempoolInfo(ctx); err == nil && m.Loaded {
		next.Mempool = &Mempool{m.Size, m.Bytes}
	}
	for _, blocks := range feeTargets() {
		if rate, err := a.node.FeeRate(ctx, blocks); err == nil {
			next.FeeRates = append(next.FeeRates, FeeRate{blocks, rate})
		}
	}
	if a.wallet.ready() {
		next.Coins = a.countCoins(ctx)
	}
	grown := growth{} // of a node that still downloads tells nothing
	s.mu.Lock()
	before := s.growth
	s.mu.Unlock()
	if disk, err := bitcoind.Survey(a.nodeDisk(a.network)); err == nil && !a.config.External.named() && a.node.Ready(ctx) == nil {
		grown = before.add(now, disk.DiskFree)
		if lasts, known := grown.left(bitcoind.LimitsOf(a.network, disk.DiskTotal).Stop); known {
			next.DiskLasts = &lasts
		}
	}
	s.mu.Lock()
	s.last, s.growth = next, grown
	s.mu.Unlock()
}

func (a *Appliance) countCoins(ctx context.Context) *Coins {
	all, err := a.node.ListUnspent(ctx, 0)
	if err != nil {
		return nil
	}
	taken, err := a.node.LockedUnspent(ctx)
	if err != nil {
		return nil
	}
	c := &Coins{Taken: len(taken)}
	for _, coin := range all {
		if coin.Safe {
			c.Free++
		}
	}
	return c
}

// Sounding returns what the node said last, empty while it is not ready.
func (a *Appliance) Sounding() Sounding {
	if !a.nodeIsReady() {
		return Sounding{}
	}
	a.sounder.mu.Lock()
	defer a.sounder.mu.Unlock()
	return a.sounder.last
}

// RPCStatus is how well the node answers the pool.
type RPCStatus struct {
	Timing node.Timing   // since this process began, and the times of the newest calls
	Calls  uint64        // within the last hour, or since this process began
	Failed uint64        // of these
	Span   time.Duration // how long that is
}

// RPC counts the questions of the last hour by the samples of the monitor.
func (a *Appliance) RPC(now time.Time) RPCStatus {
	if a.pool.Load() == nil { // the node's client is made before the pool
		return RPCStatus{}
	}
	s := RPCStatus{Timing: a.node.Timing()}
	s.Calls, s.Failed, s.Span = s.Timing.Calls, s.Timing.Failed, min(now.Sub(a.startedAt), time.Hour)
	if before, ok := a.monitor.before(now.Add(-time.Hour)); ok {
		s.Calls -= before.Calls
		s.Failed -= before.Failed
	}
	return s
}
