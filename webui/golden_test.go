package webui

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/support"
	"github.com/dmpool/dmpool/pool"
)

func (g *golden) Identity() identity {
	return identity{Name: "Hill & Valley", Network: cmp.Or(g.network, "practice")}
}

func (g *golden) Addresses() []string { return g.hosts }

func (g *golden) Health(context.Context) health { return g.health }

func (g *golden) Changes() (<-chan event, func()) { return g.changes, func() {} }

func (g *golden) Dashboard(context.Context) (dashboardView, error) { return g.dashboard, g.fail }

// Hashrates is a wave with two gaps, so that every part of a chart is seen.
func (g *golden) Hashrates(_ context.Context, _ string, from, to time.Time, step time.Duration) ([]point, error) {
	var points []point
	for at := from; at.Before(to); at = at.Add(step) {
		i := len(points)
		p := point{At: at}
		if !g.fresh && i > 20 && (i < 90 || i > 101) {
			x := float64(i)
			p.HS = new(96e12 + 9e12*math.Sin(x/9) + 5e12*math.Sin(x*1.9) + 3e12*math.Sin(x*0.7))
		}
		points = append(points, p)
	}
	return points, nil
}

func (g *golden) Why(context.Context, string) (whyFacts, error) {
	if g.fresh {
		return whyFacts{Now: noon}, nil
	}
	return g.why, nil
}

func (g *golden) Workers(context.Context) ([]workerLine, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.workers, nil
}

func (g *golden) setWorkers(lines []workerLine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.workers = lines
}

func (g *golden) Blocks(context.Context, int64, int) ([]blockLine, error) {
	return g.blocks, nil
}

func (g *golden) Block(_ context.Context, hash string) (blockView, error) {
	if hash != g.block.Hash {
		return blockView{}, notFound()
	}
	return g.block, nil
}

func (g *golden) Efforts(context.Context, int64, int) (map[int64]float64, error) {
	return map[int64]float64{1: 0.731, 2: 0.25, 3: 1.42}, nil
}

func (g *golden) Chances(context.Context) luck { return g.dashboard.Luck }

func (g *golden) Money(context.Context) (moneyView, error) { return g.dashboard.Money, nil }

func (g *golden) Owed(context.Context) ([]owedLine, error) { return g.owed, nil }

func (g *golden) Payouts(context.Context) ([]payoutLine, error) { return g.payouts, nil }

func (g *golden) Node(context.Context) nodeView { return g.node }

func (g *golden) TryNode(context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.node.Tried = &trialView{At: noon, Answer: new(0.003), Template: new(0.0417), Txs: 3120}
}

func (g *golden) Upgraded(context.Context) (string, time.Time, error) {
	return "1.1.0", noon.Add(-48 * time.Hour), nil
}

func (g *golden) Monitoring(context.Context) (monitoringView, error) { return g.monitoring, nil }

func (g *golden) Support(_ context.Context, b *support.Bundle) error {
	return b.Told("health.json", map[string]any{"status": "healthy", "reason": "The node is at block 925001."})
}

func (g *golden) Jobs(_ context.Context, only string) (jobsView, error) {
	v := g.jobs
	for _, j := range v.Jobs {
		if j.Name == only {
			v.Only = only
		}
	}
	return v, nil
}

func (g *golden) Payout(_ context.Context, id int64) (payoutView, error) {
	if id != g.payout.ID {
		return payoutView{}, notFound()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.payout, nil
}

func (g *golden) DraftPayout(_ context.Context, _ operator, key, _ string) (int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drafted = append(g.drafted, key)
	return 42, nil
}

func (g *golden) ApprovePayout(_ context.Context, a approval) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.approved = append(g.approved, a)
	g.payout.State = "approved"
	g.payout.Can = payoutCan{Cancel: true}
	g.payout.Rev++
	return nil
}

func (g *golden) CancelPayout(_ context.Context, id, rev int64, _ operator, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rev != g.payout.Rev {
		return stale(errors.New("revision changed"))
	}
	g.payout.State = "cancelled"
	g.payout.Rev++
	g.cancelled = append(g.cancelled, id)
	return nil
}

func (g *golden) Settings(context.Context) (pool.Settings, int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings, g.rev, nil
}

func (g *golden) ChangeSettings(_ context.Context, rev int64, s pool.Settings, _ operator, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rev != g.rev {
		return stale(errors.New("revision changed"))
	}
	if err := s.Validate(); err != nil {
		return refused(strings.Join(sentences(err), " "))
	}
	g.settings = s
	g.rev++
	return nil
}

func (g *golden) ChangePayout(_ context.Context, c payoutChange) error {
	g.changed = append(g.changed, c)
	return g.fail
}

func (g *golden) People(context.Context) ([]personLine, error) { return g.people, nil }

func (g *golden) ChangePeople(_ context.Context, c peopleChange) (time.Time, error) {
	if c.Name == "taken" {
		return time.Time{}, refused("There is an operator taken already.")
	}
	g.moved = append(g.moved, c)
	return passwordSet, nil
}

func (g *golden) Books(context.Context) (booksView, error) { return g.books, nil }

func (g *golden) CorrectBooks(_ context.Context, c correction) (bool, error) {
	g.corrected = append(g.corrected, c)
	return !g.lonely, nil
}

func (g *golden) Exported(context.Context, int64, int64) (string, error) { return examplePSBT, nil }

func (g *golden) ImportPayout(_ context.Context, f signedFile) error {
	g.imported = append(g.imported, f)
	return nil
}

func (g *golden) SetAccountRule(_ context.Context, r accountRule) error {
	g.ruled = append(g.ruled, r)
	return nil
}

func (g *golden) Adjustable(context.Context, string) (adjustView, error) { return g.adjust, nil }

func (g *golden) AdjustAccount(_ context.Context, a adjustment) (bool, error) {
	g.adjusted = append(g.adjusted, a)
	return !g.lonely, nil
}

func (g *golden) UnlockWallet(_ context.Context, passphrase string, _ operator, _ string) error {
	if passphrase != password {
		return &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword}
	}
	g.dashboard.Money.Locked = false
	return nil
}

func (g *golden) RepairNode(context.Context, operator, string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ordered = append(g.ordered, "repair")
	return g.fail
}

func (g *golden) GetCore(_ context.Context, version string, _ operator, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ordered = append(g.ordered, version)
	return g.fail
}

func (g *golden) StopCore(context.Context, operator, string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ordered = append(g.ordered, "stop")
	return g.fail
}

func (g *golden) UploadCore(_ context.Context, file io.Reader, _ operator, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	content, err := io.ReadAll(file)
	g.ordered = append(g.ordered, string(content))
	return errors.Join(err, g.fail)
}

func (g *golden) RunJob(_ context.Context, name string, _ operator, _ string) error {
	g.ran = append(g.ran, name)
	return nil
}

func (g *golden) Connect(context.Context) connectView {
	v := connectView{
		Hosts: []string{"192.168.1.50", "10.8.0.2"}, Port: 3333, Settlement: cmp.Or(g.settlement, "ledger"), Online: g.dashboard.Online,
		Extra: []connectPort{{Name: "small", Port: 3334}, {Name: "high", Port: 3335}, {Name: "tls", Port: 3336, TLS: true}},
	}
	if !g.fresh {
		v.Seen = []seenLine{
			{Name: "bitaxe1", UserAgent: "bitaxe/BM1370/v2.9.0", At: noon.Add(-40 * time.Second), LastShare: noon.Add(-12 * time.Second)},
			{Name: hostile, UserAgent: hostile, At: noon.Add(-2 * time.Minute)},
		}
	}
	return v
}

func (g *golden) ParseAddress(text string) (string, error) {
	if !strings.HasPrefix(text, "tb1") || len(text) < 30 {
		return "", errors.New("address is not valid")
	}
	return strings.ToLower(text), nil
}

func (g *golden) Observer(_ context.Context, address string) (observerView, error) {
	if address != g.observer.Address {
		return observerView{Address: address, MinPayout: 100_000}, nil
	}
	return g.observer, nil
}

func (g *golden) Shares(_ context.Context, _ string, limit, offset int) ([]shareLine, int64, error) {
	lo := min(offset, len(g.shares))
	return g.shares[lo:min(lo+limit, len(g.shares))], int64(len(g.shares)), nil
}

func (g *golden) PaidTo(_ context.Context, _ string, limit, offset int) ([]paidLine, int64, error) {
	lo := min(offset, len(g.paid))
	return g.paid[lo:min(lo+limit, len(g.paid))], int64(len(g.paid)), nil
}
