package webui

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
)

func (m *machine) Node(ctx context.Context) nodeView {
	n := m.nodeStatus(ctx)
	w := m.walletStatus(ctx)
	var status pool.Status
	p := m.box.Pool()
	if p != nil {
		status = p.Status()
	} else {
		status.Reason = n.Text
	}
	now := time.Now()
	v := nodeView{
		Feed: m.feed(ctx, status), Serving: status.Serving, Reason: status.Reason,
		Headers: n.Headers, PID: n.PID, Restarts: n.Restarts, Since: n.Since, Log: n.Log,
		Next: n.Next, Notice: n.Notice, Address: n.Address, Abilities: abilitiesOf(n), LeftLeast: n.LeftLeast, LeftMost: n.LeftMost,
		Wallet:  walletView{Name: w.Name, Mode: w.Unlock, Problem: w.Problem, Locked: w.NeedsKey, Address: w.Address},
		Figures: figuresOf(n, m.box.Sounding(), rpcOf(m.box.RPC(now))), Tried: m.trial.get(now),
	}
	v.Core, v.Repair, v.Snapshot = m.core(), n.Repair, snapshotOf(n)
	for _, w := range n.Warnings {
		v.Warnings = append(v.Warnings, w.Text+" "+w.Next)
	}
	if n.Asked {
		v.Progress = &n.Progress
	}
	v.Figures.addStatus(p != nil, status)
	if w.Known {
		v.Wallet.Trusted, v.Wallet.Immature, v.Wallet.Pending = &w.Trusted, &w.Immature, &w.Pending
	}
	return v
}

func figuresOf(n appliance.NodeStatus, s appliance.Sounding, rpc *rpcFigures) nodeFigures {
	f := nodeFigures{RPC: rpc, FeeRates: feesOf(s), DiskFree: float(n.DiskFree), DiskTotal: float(n.DiskTotal)}
	if p := s.Mempool; p != nil {
		f.Mempool = &mempoolView{p.Txs, float(&p.Bytes)}
	}
	if s.DiskLasts != nil {
		f.DiskLasts = max(*s.DiskLasts, time.Second)
	}
	if !n.Asked {
		return f
	}
	f.Asked, f.Says, f.Chain, f.TipTime, f.TipWarn = true, n.Says, n.Chain, n.TipTime, n.TipLimit
	f.PeersIn, f.PeersOut = &n.PeersIn, new(n.Peers-n.PeersIn)
	f.Blocks, f.Pruned = float(&n.OnDisk), n.Pruned
	if n.PruneTo > 0 {
		f.PruneTo = float(&n.PruneTo)
	}
	return f
}

func feesOf(s appliance.Sounding) (lines []feeLine) {
	for _, r := range s.FeeRates {
		rate := r.Rate
		if strings.Contains(rate, ".") {
			rate = strings.TrimRight(strings.TrimRight(rate, "0"), ".")
		}
		lines = append(lines, feeLine{r.Blocks, rate})
	}
	return lines
}

func rpcOf(s appliance.RPCStatus) *rpcFigures {
	if s.Timing.Calls == 0 {
		return nil
	}
	return &rpcFigures{
		Median: new(s.Timing.Median.Seconds()), P99: new(s.Timing.P99.Seconds()),
		Calls: int64(s.Calls), Failed: int64(s.Failed), Span: s.Span,
	}
}

// addStatus adds what the pool knows, if there is one yet.
func (f *nodeFigures) addStatus(there bool, s pool.Status) {
	f.Stratum = stratumOf(there, s)
	if !there {
		return
	}
	if !s.TemplateAt.IsZero() {
		f.Fees = &s.TemplateFees
	}
	f.News = news{Way: "poll", First: strings.ReplaceAll(s.Notice.First, " ", "-")}
	if s.Notice.ZMQ {
		f.News.Way = "zmq"
	}
	if s.Notice.First != "" {
		f.News.Ready = new(s.Notice.Ready.Seconds())
	}
	if s.Notice.Sent > 0 {
		f.News.Sent = new(s.Notice.Sent.Seconds())
	}
}

// stratumOf tells what happens to a miner that connects: it gets work, it waits for
// work, it is sent away after a while, or nobody answers it yet.
func stratumOf(there bool, s pool.Status) string {
	switch {
	case !there:
		return "starting"
	case s.Serving:
		return "open"
	case s.Idle || s.TemplateAt.IsZero():
		return "waiting"
	}
	return "paused"
}

// trialFor is how long the page shows what came of a test.
const trialFor = 10 * time.Minute

// lastTrial is the test that somebody has just made. One is made at a time; all who
// clicked meanwhile get the next.
type lastTrial struct {
	busy sync.Mutex
	mu   sync.Mutex
	last *trialView
}

func (t *lastTrial) get(now time.Time) *trialView {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil || now.Sub(t.last.At) > trialFor {
		return nil
	}
	return t.last
}

func (m *machine) TryNode(ctx context.Context) {
	asked := time.Now()
	m.trial.busy.Lock()
	defer m.trial.busy.Unlock()
	if v := m.trial.get(asked); v != nil && v.At.After(asked) {
		return // somebody who clicked at the same time was first
	}
	v := trialOf(m.box.TryNode(context.WithoutCancel(ctx)))
	m.trial.mu.Lock()
	defer m.trial.mu.Unlock()
	m.trial.last = v
}

func trialOf(t appliance.NodeTrial) *trialView {
	v := &trialView{At: t.At, Txs: t.Txs, Problem: t.Problem}
	if t.Answer > 0 {
		v.Answer = new(t.Answer.Seconds())
	}
	if t.Template > 0 {
		v.Template = new(t.Template.Seconds())
	}
	return v
}
