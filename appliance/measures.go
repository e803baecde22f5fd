package appliance

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/metrics"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/stratum"
)

// Metrics returns the figures of the box for a monitor. It asks the node, so it takes
// milliseconds when all is well and as long as ctx allows when the node hangs; then
// what the node knows is missing, and the rest is there.
func (a *Appliance) Metrics(ctx context.Context) (metrics.Snapshot, error) {
	s := metrics.Snapshot{
		At: time.Now(), Release: a.config.Release, Network: a.network, Started: a.startedAt,
		Short: !a.Settings().ObserverPages, LoginFailures: a.loginFailures.Load(), Machine: a.machineFigures(),
	}
	var asked sync.WaitGroup // one by one they would wait for a node that hangs as many times
	asked.Go(func() { s.Health = levels(a.Health(ctx)) })
	asked.Go(func() { s.Node = a.nodeFigures(ctx) })
	backup, err := a.BackupState(ctx)
	if err == nil {
		s.Backup, err = backup.LastVerified, a.poolFigures(ctx, &s)
	}
	asked.Wait()
	return s, err
}

// levels puts the checks of the box into figures.
func levels(h Health) (list []metrics.Check) {
	of := map[string]float64{Healthy: 1, Degraded: 0.5, Down: 0}
	for _, c := range h.Checks {
		list = append(list, metrics.Check{Name: c.Name, Level: of[c.Status]})
	}
	return list
}

// machineFigures are those of the last sample, and the disk now.
func (a *Appliance) machineFigures() (m metrics.Machine) {
	if samples := a.Samples(); len(samples) > 0 {
		last := samples[len(samples)-1]
		m.MemoryUsed, m.Busy, m.Celsius = last.MemoryUsed, last.Busy, last.Celsius
	}
	if disk, err := bitcoind.Survey(a.dir.root); err == nil {
		m.DiskFree, m.DiskSize = new(float64(disk.DiskFree)), new(float64(disk.DiskTotal))
	}
	return m
}

func (a *Appliance) nodeFigures(ctx context.Context) metrics.Node {
	s := a.Node(ctx)
	n := metrics.Node{
		Synced: s.Asked && s.Phase == string(node.StageReady), Asked: s.Asked, Restarts: s.Restarts,
		Height: s.Height, Peers: s.Peers, TipAt: s.TipTime,
	}
	if a.pool.Load() != nil { // the node's client is made before the pool
		t := a.node.Timing()
		n.Median, n.P99, n.Calls, n.Failed, n.Waited = t.Median, t.P99, t.Calls, t.Failed, t.Sum
	}
	return n
}

// poolFigures fills in what there is only once the pool runs.
func (a *Appliance) poolFigures(ctx context.Context, s *metrics.Snapshot) (err error) {
	p := a.pool.Load()
	if p == nil {
		return nil
	}
	status := p.Status()
	if s.Mine, err = a.mineFigures(ctx, p, status); err != nil {
		return err
	}
	if s.Workers, err = a.workerFigures(ctx, s.At, status.Sessions); err != nil {
		return err
	}
	for _, w := range s.Workers {
		s.Mine.Work += w.Work
	}
	if s.Money, err = a.moneyFigures(ctx); err != nil {
		return err
	}
	jobs, err := a.Jobs(ctx)
	for _, j := range jobs {
		if !j.Last.Finished.IsZero() {
			s.Jobs = append(s.Jobs, metrics.Job{Name: j.Name, At: j.Last.Finished, OK: j.Last.OK})
		}
	}
	return err
}

// mineFigures are those of the pool but for the work of its shares.
func (a *Appliance) mineFigures(ctx context.Context, p *pool.Pool, status pool.Status) (*metrics.Mine, error) {
	totals, err := a.shares.Totals(ctx, "", time.Now())
	if err != nil {
		return nil, err
	}
	effort, err := a.Effort(ctx)
	if err != nil {
		return nil, err
	}
	states, err := a.ledger.CountBlocks(ctx)
	if err != nil {
		return nil, err
	}
	blocks, err := a.ledger.Blocks(ctx, metrics.MaxBlocks, 0)
	if err != nil {
		return nil, err
	}
	counts := p.Metrics()
	m := &metrics.Mine{
		Serving: status.Serving, Connections: len(status.Sessions),
		Accepted: totals.Accepted, Rejected: totals.Rejected, LastShare: totals.LastShare,
		BestEver: unlessZero(totals.BestEver), NetworkDifficulty: unlessZero(status.NetworkDifficulty),
		Height: status.Height, TemplateAt: status.TemplateAt, TemplateTxs: status.TemplateTxs, CoinbaseValue: status.CoinbaseValue,
		Tips: counts.Tips, JobAge: metrics.Ages(counts.JobAge), States: map[string]int64{},
	}
	if !totals.FirstShare.IsZero() {
		r := totals.Hashrate
		m.Hashrates = map[string]float64{"10m": r.M10, "1h": r.H1, "24h": r.H24, "7d": r.D7}
	}
	if status.NetworkDifficulty > 0 {
		m.RoundWork = new(effort * status.NetworkDifficulty)
	}
	m.BestNow, m.Difficulty = ofSessions(status.Sessions)
	if !counts.TipSeen.IsZero() && counts.FirstNotify.After(counts.TipSeen) {
		m.FirstNotify = new(counts.FirstNotify.Sub(counts.TipSeen))
		if counts.LastNotify.After(counts.TipSeen) {
			m.LastNotify = new(counts.LastNotify.Sub(counts.TipSeen))
		}
	}
	for _, o := range p.NextCoinbase() {
		m.Coinbase = append(m.Coinbase, metrics.Output{Address: o.Address, Sats: o.Amount})
	}
	for state, n := range states {
		m.States[string(state)] = n
	}
	for _, b := range blocks {
		m.Blocks = append(m.Blocks, metrics.Block{Hash: b.Hash.String(), Height: b.Height, At: b.At})
	}
	return m, nil
}

// ofSessions returns the best share of those who are connected, and the difficulty of
// their average share: who does twice the work at the same difficulty counts twice.
func ofSessions(sessions []stratum.SessionInfo) (best, difficulty *float64) {
	var highest, hashes, rate float64
	for _, s := range sessions {
		highest = max(highest, s.Best)
		if s.Difficulty > 0 {
			hashes += s.Hashrate
			rate += s.Hashrate / s.Difficulty
		}
	}
	if rate > 0 {
		difficulty = new(hashes / rate)
	}
	return unlessZero(highest), difficulty
}

func (a *Appliance) workerFigures(ctx context.Context, now time.Time, sessions []stratum.SessionInfo) ([]metrics.Worker, error) {
	known, err := a.shares.Workers(ctx, "", now)
	if err != nil {
		return nil, err
	}
	work, err := a.shares.WorkEver(ctx)
	if err != nil {
		return nil, err
	}
	type name struct{ address, worker string }
	best := map[name]float64{}
	for _, s := range sessions {
		for _, w := range s.Workers {
			key := name{w.Address, w.Name}
			best[key] = max(best[key], s.Best)
		}
	}
	list := make([]metrics.Worker, 0, len(known))
	for _, w := range known {
		list = append(list, metrics.Worker{
			Address: w.Address, Name: w.Name, Work: work[w.ID], Week: w.Hashrate.D7,
			BestNow: unlessZero(best[name{w.Address, w.Name}]), BestEver: w.BestEver, LastShare: w.LastShare,
		})
	}
	return list, nil
}

func (a *Appliance) moneyFigures(ctx context.Context) (*metrics.Money, error) {
	sums, err := a.ledger.Sums(ctx)
	if err != nil {
		return nil, err
	}
	payouts, err := a.payouts.Count(ctx)
	if err != nil {
		return nil, err
	}
	m := &metrics.Money{
		Owed:    map[string]int64{ledger.Pending: sums.Pending, ledger.Payable: sums.Payable + sums.Debt, ledger.Reserved: sums.Reserved},
		Payouts: map[string]int{},
	}
	for state, n := range payouts {
		m.Payouts[string(state)] = n
	}
	_, m.Frozen = a.payouts.Frozen(ctx)
	if w := a.Wallet(ctx); w.Known {
		m.Wallet = map[string]int64{"trusted": w.Trusted, "immature": w.Immature, "pending": w.Pending}
	}
	return m, nil
}

// Effort is the work since the newest block over that of a block on average.
func (a *Appliance) Effort(ctx context.Context) (float64, error) {
	blocks, err := a.ledger.Blocks(ctx, 10, 0)
	if err != nil {
		return 0, err
	}
	var since int64
	if i := slices.IndexFunc(blocks, func(b ledger.Block) bool { return b.Frozen }); i >= 0 {
		since = blocks[i].WinnerSeq
	}
	effort, err := a.shares.RoundWork(ctx, since)
	if err != nil {
		return 0, err
	}
	f, _ := effort.Float64()
	return f, nil
}

// unlessZero is a figure of which zero means that it is not known.
func unlessZero(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}
