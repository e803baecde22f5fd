package webui

import (
	"context"
	"fmt"
	"net/http"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// deskStatsJSON is the answer of /api/dashboard: the seven figures that the
// earlier project promised, and what the first page shows beside them.
type deskStatsJSON struct {
	HashrateTHS  *float64 `json:"pool_hashrate_ths"` // of the last hour
	Active       int      `json:"active_workers"`
	TotalShares  int64    `json:"total_shares"`
	Blocks       int64    `json:"blocks_found"`
	Uptime       *int64   `json:"uptime_seconds"`
	WindowShares *int64   `json:"pplns_window_shares"`
	Difficulty   *float64 `json:"current_difficulty"` // of the network

	Hashrate ratesJSON      `json:"hashrate_hs"`
	Workers  map[string]int `json:"workers"`
	Rejected int64          `json:"rejected_shares"`
	Best     bestsJSON      `json:"best_difficulty"`
	Effort   *float64       `json:"effort"`
	Serving  bool           `json:"serving"`
	Reason   *string        `json:"reason"`
	Balance  balanceSums    `json:"balance_sats"`
	Waiting  int            `json:"payouts_to_approve"`
	AsOf     time.Time      `json:"as_of"`
}

func (d deskStatsJSON) undated() any {
	d.AsOf = time.Time{}
	d.Uptime = nil
	return d
}

func (s *site) apiDashboard(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	blocks, err := s.countBlocks(r)
	if err != nil {
		return nil, err
	}
	money, err := s.box.Money(r.Context())
	if err != nil {
		return nil, err
	}
	payouts, err := s.box.Payouts(r.Context())
	if err != nil {
		return nil, err
	}
	count := v.byStatus()
	answer := deskStatsJSON{
		Active: v.here(), TotalShares: v.Accepted, Blocks: blocks, Uptime: s.uptime(v),
		WindowShares: s.box.WindowShares(r.Context()), Difficulty: v.Difficulty,
		Hashrate: ratesJSON(v.Rates), Workers: count, Rejected: v.Rejected, Best: bestsOf(v.Best), Effort: v.Effort,
		Serving: v.Serving, Reason: orNull(v.Reason), AsOf: s.now().UTC().Truncate(time.Second),
		Balance: balanceSums{Payable: money.Owed, Pending: money.Pending, Reserved: money.Reserved},
	}
	if v.Rates.H1 != nil {
		answer.HashrateTHS = new(*v.Rates.H1 / 1e12)
	}
	for _, p := range payouts {
		if p.Waits {
			answer.Waiting++
		}
	}
	return answer, nil
}

// uptime is since when the pool runs, in seconds; null when it does not.
func (s *site) uptime(v pulse) *int64 {
	if v.StartedAt.IsZero() {
		return nil
	}
	return new(int64(s.now().Sub(v.StartedAt) / time.Second))
}

// shareStatsJSON is the answer of /api/stats: the shares and the blocks, by what
// became of them.
type shareStatsJSON struct {
	Hashrate ratesJSON        `json:"hashrate_hs"`
	Accepted int64            `json:"accepted"`
	Late     int64            `json:"late"` // of the accepted ones
	Rejected int64            `json:"rejected"`
	Reasons  map[string]int64 `json:"reject_reasons"`
	Best     bestsJSON        `json:"best_difficulty"`
	Blocks   map[string]int64 `json:"blocks"`
}

func (s *site) apiStats(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	blocks, err := s.box.CountBlocks(r.Context())
	if err != nil {
		return nil, err
	}
	answer := shareStatsJSON{
		Hashrate: ratesJSON(v.Rates), Accepted: v.Accepted, Late: v.Late, Rejected: v.Rejected,
		Reasons: map[string]int64{}, Best: bestsOf(v.Best), Blocks: blocks,
	}
	for _, reason := range v.Reasons {
		answer.Reasons[reason.Reason] = reason.Count
	}
	return answer, nil
}

// statusJSON is the answer of /api/status, for a quick look.
type statusJSON struct {
	Uptime      *int64  `json:"uptime"` // seconds
	Connections int     `json:"connections"`
	ShareRate   float64 `json:"shares_per_sec"`
}

func (s *site) apiStatus(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	return statusJSON{Uptime: s.uptime(v), Connections: v.Connections, ShareRate: v.ShareRate}, nil
}

// servicesJSON is the answer of /api/services/status: health with figures.
type servicesJSON struct {
	Status   string           `json:"status"`
	Database checkJSON        `json:"database"`
	Wallet   checkJSON        `json:"wallet"`
	Node     nodeServiceJSON  `json:"bitcoin_node"`
	Stratum  stratumCheckJSON `json:"stratum"`
	Uptime   *int64           `json:"uptime_seconds"`
	Memory   uint64           `json:"memory_mb"`
}

type nodeServiceJSON struct {
	checkJSON
	Blocks   *int32   `json:"blocks"`
	Headers  *int32   `json:"headers"`
	Progress *float64 `json:"sync_progress"` // 0 to 1
	Peers    *int     `json:"peer_count"`
}

type stratumCheckJSON struct {
	checkJSON
	Connections int      `json:"active_connections"`
	ShareRate   float64  `json:"shares_per_second"`
	Difficulty  *float64 `json:"current_difficulty"` // of the network
}

func (s *site) apiServices(r *http.Request) (any, error) {
	h, node := s.box.Health(r.Context()), s.box.Node(r.Context())
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		v = pulse{} // the pool is starting: that is an answer here, too
	}
	checks := map[string]checkJSON{}
	for _, c := range h.Checks {
		checks[c.Name] = checkJSON{Status: c.Status, Reason: c.Reason, NextStep: c.NextStep}
	}
	answer := servicesJSON{
		Status: h.Status, Database: checks["db"], Wallet: checks["wallet"],
		Node:    nodeServiceJSON{checkJSON: checks["node"], Progress: node.Progress, Peers: node.Feed.Peers},
		Stratum: stratumCheckJSON{checks["stratum"], v.Connections, v.ShareRate, v.Difficulty},
		Uptime:  s.uptime(v), Memory: memory() >> 20,
	}
	if node.Progress != nil { // the node answered
		answer.Node.Blocks, answer.Node.Headers = &node.Feed.Height, &node.Headers
	}
	return answer, nil
}

// memory is what this process has from the system, in bytes.
func memory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// deskConfigJSON is the answer of /api/config: what a pool is told at its start, in
// the earlier project's words where they mean the same. /api/payments/config has
// every setting by its own name.
type deskConfigJSON struct {
	Rev        int64   `json:"rev"` // name it in a change
	Network    string  `json:"network"`
	Port       int     `json:"stratum_port"`
	Host       *string `json:"stratum_hostname"`
	Start      float64 `json:"start_difficulty"`
	Minimum    float64 `json:"minimum_difficulty"`
	Signature  string  `json:"pool_signature"`
	Settlement string  `json:"settlement"`
	Window     int64   `json:"window_milli"`
	Fee        int64   `json:"fee_bps"`
	Donation   int64   `json:"donation_bps"`
}

func (s *site) deskConfig(ctx context.Context) (deskConfigJSON, error) {
	now, rev, err := s.box.Settings(ctx)
	if err != nil {
		return deskConfigJSON{}, err
	}
	connect := s.box.Connect(ctx)
	v := deskConfigJSON{
		Rev: rev, Network: s.box.Identity().Network, Port: connect.Port, Start: now.StartDifficulty, Minimum: now.MinDifficulty,
		Signature: now.Name, Settlement: now.Settlement, Window: now.WindowMilli, Fee: now.FeeBps, Donation: now.DonationBps,
	}
	if len(connect.Hosts) > 0 {
		v.Host = &connect.Hosts[0]
	}
	return v, nil
}

func (s *site) apiDeskConfig(r *http.Request) (any, error) { return s.deskConfig(r.Context()) }

// deskChangeJSON is the answer to a change of /api/config.
type deskChangeJSON struct {
	Rev     int64    `json:"rev"`
	Changes []string `json:"changes"` // "start_difficulty: 0 → 32"
}

// doDeskConfig changes the three settings that the earlier project let a program
// change: none of them moves money.
func (s *site) doDeskConfig(r *http.Request, who caller, c command) (int, any, error) {
	now, rev, err := s.box.Settings(r.Context())
	if err != nil {
		return 0, nil, err
	}
	in := struct {
		Rev       int64    `json:"rev"`
		Start     *float64 `json:"start_difficulty"`
		Minimum   *float64 `json:"minimum_difficulty"`
		Signature *string  `json:"pool_signature"`
	}{Start: new(now.StartDifficulty), Minimum: new(now.MinDifficulty), Signature: new(now.Name)}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Rev != rev {
		return 0, nil, stale(nil)
	}
	if in.Start == nil || in.Minimum == nil || in.Signature == nil {
		return 0, nil, invalid("A setting cannot be null; leave it out to keep it.")
	}
	next := now
	next.StartDifficulty, next.MinDifficulty, next.Name = *in.Start, *in.Minimum, *in.Signature
	answer := deskChangeJSON{Changes: deskChanges(now, next)}
	if len(answer.Changes) > 0 {
		if err := s.box.ChangeSettings(r.Context(), rev, next, who.Operator, who.IP.String()); err != nil {
			return 0, nil, err
		}
	}
	_, answer.Rev, err = s.box.Settings(r.Context())
	return http.StatusOK, answer, err
}

func deskChanges(was, is pool.Settings) []string {
	changes := []string{}
	note := func(name, before, after string) {
		if before != after {
			changes = append(changes, fmt.Sprintf("%s: %s → %s", name, before, after))
		}
	}
	write := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	note("start_difficulty", write(was.StartDifficulty), write(is.StartDifficulty))
	note("minimum_difficulty", write(was.MinDifficulty), write(is.MinDifficulty))
	note("pool_signature", was.Name, is.Name)
	return changes
}
