package appliance

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/alert"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/shares"
)

const (
	// lookEvery is how often the box looks at everything for its alerts.
	lookEvery = 30 * time.Second
	// lookSoon is how long it waits after something has happened: more may follow.
	lookSoon = time.Second
	// newestBlocks is how many blocks are looked at. Those that change are the last
	// ones, for as long as a block takes to mature.
	newestBlocks = 250
	// newestPayouts is how many payouts are, besides those that are under way.
	newestPayouts = 100
)

// lookOut tells the bell how everything is, until ctx ends.
func (a *Appliance) lookOut(ctx context.Context) {
	events, cancel := a.events.Subscribe()
	defer func() { cancel() }()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	soon := time.NewTimer(lookSoon)
	defer soon.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events, cancel = a.events.Subscribe()
			} else if !worthALook(e.Kind) {
				continue
			}
			soon.Reset(lookSoon)
			continue
		case <-tick.C:
		case <-soon.C:
		}
		s := a.look(ctx, time.Now())
		if err := a.alerts.Look(ctx, s); err != nil && ctx.Err() == nil {
			a.log.Error("Alerts not written", "err", err)
		}
	}
}

// worthALook tells whether something of this kind may be worth an alert. Alerts are
// not, or one would follow the other.
func worthALook(kind string) bool {
	return slices.Contains([]string{"block", "block-state", "payout", "node", "settlement"}, kind)
}

// look gathers what the alerts are made of. What cannot be asked at the moment is left
// out.
func (a *Appliance) look(ctx context.Context, now time.Time) alert.Snapshot {
	ctx, cancel := context.WithTimeout(ctx, 2*healthDeadline)
	defer cancel()
	s := alert.Snapshot{At: now, Private: a.privateChain(), Format: a.newFormat()}
	checks := map[string]Check{}
	for _, c := range a.Health(ctx).Checks {
		checks[c.Name] = c
	}
	n := a.Node(ctx)
	s.Node = nodePart(n, checks)
	s.Disk = a.diskPart(n, checks["disk"])
	s.Backup = a.backupPart(ctx, now)
	if n.Asked {
		s.Clock = &alert.Part{}
		if n.Clock != nil {
			s.Clock = &alert.Part{Bad: true, Reason: n.Clock.Text, Next: n.Clock.Next}
		}
	}
	if a.pool.Load() != nil {
		s.Mine = a.mine(ctx, now)
		s.Books = a.bookPart(ctx, checks["ledger"])
	}
	return s
}

// partOf is a check as alerts see it.
func partOf(c Check, bad bool) alert.Part {
	if !bad {
		return alert.Part{}
	}
	return alert.Part{Bad: true, Reason: c.Reason, Next: c.NextStep}
}

// nodePart tells whether there is work, and why not.
func nodePart(n NodeStatus, checks map[string]Check) *alert.Node {
	syncing := n.Asked && slices.Contains([]string{string(node.StageHeaders), string(node.StageDownload), string(node.StageCatchingUp)}, n.Phase)
	one := &alert.Node{Syncing: syncing}
	if n.Asked {
		one.Peers = &n.Peers
	}
	check, work := checks["node"], checks["stratum"]
	tip, old := tipWarning(time.Now(), n.TipTime)
	switch {
	case syncing:
		one.Reason, one.Next = n.Text, check.NextStep
	case n.Phase != string(node.StageReady):
		one.Part = partOf(check, true)
	case n.TipLimit > 0 && old:
		one.Part = partOf(Check{Reason: tip.Text, NextStep: tip.Next}, true)
	default:
		one.Part = partOf(work, work.Status != Healthy)
	}
	return one
}

// diskPart is about the disk of the box, and that of the node where it is another: the
// one that is worse.
func (a *Appliance) diskPart(n NodeStatus, c Check) *alert.Disk {
	d := &alert.Disk{Part: partOf(c, c.Status != Healthy), Urgent: c.Status == Down}
	if n.DiskFree == nil || n.DiskTotal == nil {
		return d
	}
	w, full := roomWarning(a.network, a.nodeDisk(a.network), bitcoind.Machine{DiskFree: *n.DiskFree, DiskTotal: *n.DiskTotal})
	alarm := *n.DiskFree < bitcoind.LimitsOf(a.network, *n.DiskTotal).Alarm
	if full && !d.Bad || alarm && !d.Urgent {
		*d = alert.Disk{Part: partOf(Check{Reason: w.Text, NextStep: w.Next}, true), Urgent: alarm}
	}
	return d
}

// backupPart is how the backups are. That there is none yet is no reason for an alert in
// the first days of a box.
func (a *Appliance) backupPart(ctx context.Context, now time.Time) *alert.Backup {
	state, err := a.BackupState(ctx)
	if err != nil {
		return nil
	}
	var made int64
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT COALESCE(MIN(created_at), 0) FROM operator`).Scan(&made); err != nil || made == 0 {
		return nil
	}
	b := &alert.Backup{Verified: state.LastVerified, Since: time.UnixMilli(made), Reason: state.Problem, Next: state.Next}
	old := !state.LastVerified.IsZero() && now.Sub(state.LastVerified) > backupOld
	b.Failed = state.Last.Problem != "" || state.Problem != "" && !state.LastVerified.IsZero() && !old
	b.Stale = old
	if old && !b.Failed {
		b.Reason = "" // the rule itself says how old it is
	}
	return b
}

// bookPart is what the ledger says; nil when it cannot be read.
func (a *Appliance) bookPart(ctx context.Context, c Check) *alert.Books {
	books := &alert.Books{Frozen: partOf(c, c.Status == Down)}
	found, err := a.ledger.Blocks(ctx, newestBlocks, 0)
	if err != nil {
		return nil
	}
	for _, b := range found {
		one := alert.Block{
			Hash: b.Hash.String(), Height: b.Height, At: b.At, State: string(b.State), Flips: b.Flips, Sats: b.Value,
			Finder: alert.Worker{Address: b.Address, Name: b.Worker},
		}
		if b.State == ledger.StateRejected {
			one.Refusal = b.SubmitResult
		}
		books.Blocks = append(books.Blocks, one)
	}
	open, err := a.payouts.List(ctx, payout.Draft, payout.Pending, payout.Approved, payout.Signed, payout.Broadcast, payout.Confirmed, payout.Cancelling)
	if err != nil {
		return nil
	}
	newest, err := a.payouts.Newest(ctx, newestPayouts)
	if err != nil {
		return nil
	}
	known := map[int64]bool{}
	for _, p := range slices.Concat(open, newest) {
		if known[p.ID] {
			continue
		}
		known[p.ID] = true
		one := alert.Payout{
			ID: p.ID, State: string(p.State), Waits: p.Waits, Sats: p.Total, Recipients: p.Recipients, Changed: p.UpdatedAt, Problem: p.Problem,
		}
		if p.TxID != nil {
			one.TxID = p.TxID.String()
		}
		books.Payouts = append(books.Payouts, one)
	}
	return books
}

// mine is what the miners do; nil when the share log cannot be read.
func (a *Appliance) mine(ctx context.Context, now time.Time) *alert.Mine {
	m := &alert.Mine{WorkSince: a.working.since(a.pool.Load().Status().Serving, now)}
	workers, err := a.shares.Workers(ctx, "", now)
	if err != nil {
		return nil
	}
	labels, banned, err := a.calledAndBanned(ctx)
	if err != nil {
		return nil
	}
	past := a.working.hourAgo(workers, now)
	for _, w := range workers {
		one := alert.Worker{
			Address: w.Address, Name: w.Name, LastShare: w.LastShare,
			Label:  labels[w.Address+"."+w.Name],
			Banned: banned[w.Address] || banned[w.Address+"."+w.Name],
		}
		was := past[w.ID]
		one.Accepted, one.Rejected = w.Accepted-was.accepted, rejectedOf(w)-was.rejected
		m.Workers = append(m.Workers, one)
		m.Recent, m.Day = m.Recent+w.Hashrate.M10, m.Day+w.Hashrate.H24
		if m.FirstShare.IsZero() || w.FirstShare.Before(m.FirstShare) {
			m.FirstShare = w.FirstShare
		}
		if w.BestEver > m.Best.Difficulty {
			m.Best = alert.Best{Difficulty: w.BestEver, At: w.BestEverAt, Worker: one}
		}
	}
	return m
}

// calledAndBanned returns what workers are called, and who may not mine here, by
// "address" or "address.name".
func (a *Appliance) calledAndBanned(ctx context.Context) (labels map[string]string, banned map[string]bool, err error) {
	marks, err := a.Marks(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	labels = map[string]string{}
	for _, m := range marks {
		labels[m.Address+"."+m.Worker] = m.Label
	}
	bans, err := a.Bans(ctx)
	if err != nil {
		return nil, nil, err
	}
	banned = map[string]bool{}
	for _, b := range bans {
		banned[b.String()] = b.Network == ""
	}
	return labels, banned, nil
}

// newFormat is the last change of how the books are written, nil when there was none
// that a copy tells of.
func (a *Appliance) newFormat() *alert.Format {
	kept, err := a.dir.books(a.network).allKept()
	if err != nil || len(kept) == 0 {
		return nil
	}
	newest := slices.MaxFunc(kept, func(x, y Kept) int { return x.Made.Compare(y.Made) })
	return &alert.Format{At: newest.Made, Ledger: newest.To.Ledger, Shares: newest.To.Shares, Before: newest.Release}
}

// atWork remembers what a look needs of the looks before.
type atWork struct {
	mu       sync.Mutex
	from     time.Time // when work began to go out; zero: none goes out
	readings []countReading
}

// countReading is the counts of all workers at one moment.
type countReading struct {
	at     time.Time
	counts map[int64]counts // by id of the worker
}

type counts struct{ accepted, rejected int64 }

// since returns since when work goes out.
func (w *atWork) since(serving bool, now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !serving:
		w.from = time.Time{}
	case w.from.IsZero():
		w.from = now
	}
	return w.from
}

// readingEvery is how often the counts are kept.
const readingEvery = 5 * time.Minute

// hourAgo returns the counts of an hour ago, or the oldest that are known. A worker that
// was not there then had none.
func (w *atWork) hourAgo(workers []shares.WorkerStats, now time.Time) map[int64]counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.readings); n == 0 || now.Sub(w.readings[n-1].at).Abs() >= readingEvery {
		one := countReading{now, map[int64]counts{}}
		for _, s := range workers {
			one.counts[s.ID] = counts{s.Accepted, rejectedOf(s)}
		}
		w.readings = append(w.readings, one)
	}
	for len(w.readings) > 1 && now.Sub(w.readings[1].at) >= time.Hour {
		w.readings = slices.Delete(w.readings, 0, 1)
	}
	return w.readings[0].counts
}

// rejectedOf adds up the rejected shares of a worker.
func rejectedOf(w shares.WorkerStats) (sum int64) {
	for n := range maps.Values(w.Rejected) {
		sum += n
	}
	return sum
}
