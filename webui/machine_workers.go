package webui

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
)

func ratesOf(t shares.Totals) rates {
	if t.FirstShare.IsZero() {
		return rates{}
	}
	return ratesFrom(t.Hashrate)
}

func ratesFrom(r shares.Rates) rates { return rates{M10: &r.M10, H1: &r.H1, H24: &r.H24, D7: &r.D7} }

func rejectRate(t shares.Totals) *float64 {
	_, rejected := reasonsOf(t.Rejected)
	return workerLine{Accepted: t.Accepted, Rejected: rejected}.RejectRate()
}

// reasonsOf lists the reject reasons, the most frequent first, and their sum.
func reasonsOf(counts map[string]int64) (lines []reasonLine, sum int64) {
	for reason, n := range counts {
		lines = append(lines, reasonLine{Reason: reason, Count: n})
		sum += n
	}
	slices.SortFunc(lines, func(a, b reasonLine) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return lines, sum
}

func (m *machine) Hashrates(ctx context.Context, address string, from, to time.Time, step time.Duration) ([]point, error) {
	return m.WorkerHashrates(ctx, address, "", from, to, step)
}

func (m *machine) WorkerHashrates(ctx context.Context, address, worker string, from, to time.Time, step time.Duration) ([]point, error) {
	if _, err := m.pool(); err != nil {
		return nil, nil
	}
	q := shares.Query{Address: address, Worker: worker, From: from.UTC(), To: to.UTC(), Step: step}
	return m.charts.get(q, func() ([]point, error) { return m.readChart(ctx, q) })
}

func (m *machine) readChart(ctx context.Context, q shares.Query) ([]point, error) {
	slots, err := m.box.Shares().Hashrate(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read hashrates: %w", err)
	}
	points := make([]point, 0, len(slots))
	for _, s := range slots {
		p := point{At: s.At}
		if s.Known {
			p.HS = new(s.Hashrate)
		}
		points = append(points, p)
	}
	return points, nil
}

func (m *machine) Workers(ctx context.Context) ([]workerLine, error) {
	p, err := m.pool()
	if err != nil {
		return nil, nil
	}
	return m.workersOf(ctx, "", p.Status().Sessions)
}

func (m *machine) Worker(ctx context.Context, address, name string) (workerView, error) {
	p, err := m.pool()
	if err != nil {
		return workerView{}, err
	}
	sessions := p.Status().Sessions
	lines, err := m.workersOf(ctx, address, sessions)
	if err != nil {
		return workerView{}, err
	}
	i := slices.IndexFunc(lines, func(w workerLine) bool { return w.Name == name })
	if i < 0 {
		return workerView{}, notFound()
	}
	v := workerView{workerLine: lines[i]}
	for _, s := range sessions {
		if slices.ContainsFunc(s.Workers, func(w stratum.Worker) bool { return w.Address == address && w.Name == name }) {
			v.Connections = append(v.Connections, connectionOf(s))
		}
	}
	bans, err := m.Bans(ctx)
	if err != nil {
		return v, err
	}
	v.Bans = slices.DeleteFunc(bans, func(b banLine) bool { return b.Address != address || b.Worker != "" && b.Worker != name })
	v.Power, err = m.power(ctx, address, name)
	return v, err
}

func connectionOf(s stratum.SessionInfo) connectionLine {
	c := connectionLine{
		ID: s.ID, Port: s.Port, UserAgent: s.UserAgent, Others: len(s.Workers) - 1, Difficulty: orNil(s.Difficulty),
		Accepted: int64(s.Accepted), Best: orNil(s.Best), ConnectedAt: s.ConnectedAt, LastShare: s.LastShareAt,
	}
	if s.Accepted > 0 {
		c.Rate = &s.Hashrate
	}
	for _, n := range s.Rejected {
		c.Rejected += int64(n)
	}
	if host, _, err := net.SplitHostPort(s.Remote); err == nil {
		c.IP = host
	}
	return c
}

// workersOf joins what the share log knows of workers with who is connected.
func (m *machine) workersOf(ctx context.Context, address string, sessions []stratum.SessionInfo) ([]workerLine, error) {
	now := time.Now()
	known, err := m.box.Shares().Workers(ctx, address, now)
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	live := connected(sessions)
	var lines []workerLine
	for _, w := range known {
		line := workerLine{
			Address: w.Address, Name: w.Name, Status: "offline", UserAgent: w.UserAgent,
			Rates: ratesFrom(w.Hashrate), Accepted: w.Accepted, Late: w.Late, FirstShare: w.FirstShare, LastShare: w.LastShare,
			Best: bests{Round: orNil(w.BestRound), Ever: orNil(w.BestEver), EverAt: w.BestEverAt},
		}
		line.Reasons, line.Rejected = reasonsOf(w.Rejected)
		key := workerKey{w.Address, w.Name}
		if s, ok := live[key]; ok {
			line.Status = "online"
			if now.Sub(w.LastShare) > idleAfter {
				line.Status = "idle"
			}
			line.Difficulty, line.Best.Session = orNil(s.Difficulty), orNil(s.Best)
			delete(live, key)
		}
		lines = append(lines, line)
	}
	lines = append(lines, waiting(live, address)...)
	return lines, m.say(ctx, address, lines)
}

// say adds what the operators say about workers.
func (m *machine) say(ctx context.Context, address string, lines []workerLine) error {
	marks, err := m.Marks(ctx, address)
	if err != nil {
		return err
	}
	bans, err := m.Bans(ctx)
	if err != nil {
		return err
	}
	marked, out := map[workerKey]mark{}, map[workerKey]string{}
	for _, one := range marks {
		marked[workerKey{one.Address, one.Worker}] = one
	}
	for _, b := range bans {
		out[workerKey{b.Address, b.Worker}] = b.Reason
	}
	for i := range lines {
		l := &lines[i]
		one := marked[workerKey{l.Address, l.Name}]
		l.Label, l.Tags, l.Account = one.Label, one.Tags, marked[workerKey{l.Address, ""}].Label
		if l.Banned = cmp.Or(out[workerKey{l.Address, l.Name}], out[workerKey{l.Address, ""}]); l.Banned != "" {
			l.Status = "banned"
		}
	}
	return nil
}

// waiting lists those that are connected and have not sent a share yet, by name.
func waiting(live map[workerKey]stratum.SessionInfo, address string) []workerLine {
	var lines []workerLine
	for key, s := range live {
		if address == "" || address == key.address {
			lines = append(lines, workerLine{
				Address: key.address, Name: key.name, Status: "waiting",
				UserAgent: s.UserAgent, Difficulty: orNil(s.Difficulty),
			})
		}
	}
	slices.SortFunc(lines, func(a, b workerLine) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	})
	return lines
}

type workerKey struct{ address, name string }

// connected finds the session of each worker; of several the one with the best
// share.
func connected(sessions []stratum.SessionInfo) map[workerKey]stratum.SessionInfo {
	live := map[workerKey]stratum.SessionInfo{}
	for _, s := range sessions {
		for _, w := range s.Workers {
			key := workerKey{w.Address, w.Name}
			if old, ok := live[key]; !ok || s.Best > old.Best {
				live[key] = s
			}
		}
	}
	return live
}
