package webui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
)

func (m *machine) Rules() pool.Settings { return m.box.Settings() }

func (m *machine) Pulse(ctx context.Context) (pulse, error) {
	p, err := m.pool()
	if err != nil {
		return pulse{}, err
	}
	now, status := time.Now(), p.Status()
	totals, err := m.box.Shares().Totals(ctx, "", now)
	if err != nil {
		return pulse{}, fmt.Errorf("add up shares: %w", err)
	}
	v := pulse{
		StartedAt: status.StartedAt, Serving: status.Serving, Reason: status.Reason,
		Height: status.Height, Difficulty: orNil(status.NetworkDifficulty), Settlement: status.Settlement,
		Connections: len(status.Sessions),
		Rates:       ratesOf(totals), Accepted: totals.Accepted, Late: totals.Late, LastShare: totals.LastShare,
		Best: bests{Round: orNil(totals.BestRound), Ever: orNil(totals.BestEver), EverAt: totals.BestEverAt},
	}
	if status.CoinbaseValue > 0 {
		v.Value = &status.CoinbaseValue
	}
	v.Reasons, v.Rejected = reasonsOf(totals.Rejected)
	v.addSessions(status.Sessions)
	if v.Workers, err = m.workersOf(ctx, "", status.Sessions); err != nil {
		return v, err
	}
	effort, err := m.box.Effort(ctx)
	if err != nil {
		return v, err
	}
	v.Effort = &effort
	if v.H6, err = m.sixHours(ctx, now); err != nil {
		return v, err
	}
	return v, nil
}

// addSessions sums up what the connections do. How often a share comes follows
// from the hash rate and the difficulty, with less noise than a count would have.
func (v *pulse) addSessions(sessions []stratum.SessionInfo) {
	users := map[string]bool{}
	for _, s := range sessions {
		v.Live += s.Hashrate
		if s.Difficulty > 0 {
			v.ShareRate += s.Hashrate / (s.Difficulty * (1 << 32))
		}
		for _, w := range s.Workers {
			users[w.Address] = true
		}
	}
	v.Users = len(users)
}

// sixHours is the mean hash rate of the last 36 slots of 10 minutes in which the
// pool was running, nil when there is none.
func (m *machine) sixHours(ctx context.Context, now time.Time) (*float64, error) {
	slots, err := m.box.Shares().Hashrate(ctx, shares.Query{From: now.Add(-6 * time.Hour), To: now, Step: 10 * time.Minute})
	if err != nil {
		return nil, fmt.Errorf("read hashrates: %w", err)
	}
	sum, count := 0.0, 0
	for _, s := range slots {
		if s.Known {
			sum += s.Hashrate
			count++
		}
	}
	if count == 0 {
		return nil, nil
	}
	return new(sum / float64(count)), nil
}

func (m *machine) WindowShares(ctx context.Context) *int64 {
	entries := m.currentWindow(ctx).entries
	if entries == nil {
		return nil
	}
	var sum int64
	for _, e := range entries {
		for _, p := range e.Parts {
			sum += p.Shares
		}
	}
	return &sum
}

// Sessions lists who is connected, in an order that stays the same while they are:
// some programs remember a worker by its place in the list.
func (m *machine) Sessions(ctx context.Context, address string) ([]sessionLine, error) {
	p, err := m.pool()
	if err != nil {
		return nil, err
	}
	known, err := m.box.Shares().Workers(ctx, address, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	logged := map[workerKey]float64{}
	for _, w := range known {
		logged[workerKey{w.Address, w.Name}] = w.Hashrate.M10
	}
	var lines []sessionLine
	for _, s := range p.Status().Sessions {
		for _, w := range s.Workers {
			if address != "" && address != w.Address {
				continue
			}
			line := sessionLine{
				ID: s.ID, Address: w.Address, Name: w.Name, UserAgent: s.UserAgent,
				Hashrate: s.Hashrate, Best: s.Best, ConnectedAt: s.ConnectedAt, SeenAt: s.LastShareAt,
			}
			if len(s.Workers) > 1 {
				line.Hashrate = logged[workerKey{w.Address, w.Name}] // a proxy: the connection is not this worker's alone
			}
			if line.SeenAt.IsZero() {
				line.SeenAt = s.ConnectedAt
			}
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b sessionLine) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name), a.ConnectedAt.Compare(b.ConnectedAt), cmp.Compare(a.ID, b.ID))
	})
	return lines, nil
}

func (m *machine) AuditEntries(ctx context.Context, q auditQuery) ([]auditLine, error) {
	return m.findAudit(ctx, appliance.AuditFilter{
		Actor: q.Actor, Action: q.Action, Object: q.Object, From: q.From, To: q.To, Before: q.Before, Limit: q.Limit,
	})
}

func (m *machine) AuditSums(ctx context.Context) (auditSums, error) {
	s, err := m.box.AuditStats(ctx)
	if err != nil {
		return auditSums{}, err
	}
	sums := auditSums{Total: s.Total, Failed: s.Failed, Oldest: s.Oldest, Newest: s.Newest}
	for _, c := range s.Actions {
		sums.Actions = append(sums.Actions, auditCount(c))
	}
	return sums, nil
}

// mining is what the node said, or why it said nothing.
type mining struct {
	info miningInfo
	err  error
}

func (m *machine) Mining(ctx context.Context) (miningInfo, error) {
	got := m.mining.get(nodeTTL, func() mining {
		client := m.box.NodeClient()
		if client == nil {
			return mining{err: absent("The node is not there yet.")}
		}
		ctx, cancel := patient(ctx)
		defer cancel()
		var v mining
		if err := client.Call(ctx, "getmininginfo", &v.info); err != nil {
			m.log.Warn("Mining info not read", "err", err)
			v.err = absent("The node does not answer.")
		}
		return v
	})
	return got.info, got.err
}

func (m *machine) CountBlocks(ctx context.Context) (map[string]int64, error) {
	counts, err := m.box.Ledger().CountBlocks(ctx)
	if err != nil {
		return nil, err
	}
	byState := map[string]int64{}
	for state, n := range counts {
		byState[string(state)] = n
	}
	return byState, nil
}

func (m *machine) BlocksAt(ctx context.Context, height int32) ([]blockLine, error) {
	blocks, err := m.box.Ledger().BlocksAt(ctx, height)
	if err != nil {
		return nil, err
	}
	var lines []blockLine
	for _, b := range blocks {
		lines = append(lines, m.blockLine(b))
	}
	return lines, nil
}
