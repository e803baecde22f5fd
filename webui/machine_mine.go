package webui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// idleAfter is how long a connected worker may be silent before it is idle. The
// pool aims at a share every few seconds, so this is far beyond chance.
const idleAfter = 5 * time.Minute

func (m *machine) Dashboard(ctx context.Context) (dashboardView, error) {
	p, err := m.pool()
	if err != nil {
		return dashboardView{Reason: m.nodeStatus(ctx).Text, Feed: m.feed(ctx, pool.Status{})}, nil
	}
	status := p.Status()
	totals, err := m.box.Shares().Totals(ctx, "", time.Now())
	if err != nil {
		return dashboardView{}, err
	}
	workers, err := m.Workers(ctx)
	if err != nil {
		return dashboardView{}, err
	}
	v := dashboardView{
		Serving: status.Serving, Reason: status.Reason, Fallback: status.Fallback,
		Rates: ratesOf(totals), Rejected: rejectRate(totals),
		Best: bests{Round: orNil(totals.BestRound), Ever: orNil(totals.BestEver), EverAt: totals.BestEverAt},
		Feed: m.feed(ctx, status),
	}
	if reasons, _ := reasonsOf(totals.Rejected); len(reasons) > 0 {
		v.Mostly = reasons[0].Kind()
	}
	v.Best.Session = bestNow(status.Sessions)
	v.Luck = newLuck(orNil(status.NetworkDifficulty), v.Rates.H1)
	for _, w := range workers {
		if w.Here() {
			v.Online++
		} else {
			v.Offline++
		}
	}
	effort, err := m.box.Effort(ctx)
	if err != nil {
		return v, err
	}
	v.Effort = &effort
	if v.Money, err = m.Money(ctx); err != nil {
		return v, err
	}
	payouts, err := m.Payouts(ctx)
	if err != nil {
		return v, err
	}
	v.Waiting = slices.DeleteFunc(slices.Clone(payouts), func(p payoutLine) bool { return !p.Waits })
	jobs, err := m.Jobs(ctx, "")
	if err != nil {
		return v, err
	}
	v.Jobs = jobs.Jobs
	blocks, err := m.Blocks(ctx, 0, 4)
	if err != nil {
		return v, err
	}
	logins, err := m.findAudit(ctx, appliance.AuditFilter{Action: "login", Limit: latelyLines})
	if err != nil {
		return v, err
	}
	v.Recent = lately(blocks, payouts, jobs.Runs, logins)
	return v, nil
}

// bestNow is the best share of those who are connected, since they are.
func bestNow(sessions []stratum.SessionInfo) *float64 {
	var best float64
	for _, s := range sessions {
		best = max(best, s.Best)
	}
	return orNil(best)
}

// latelyLines is how much of what happened the dashboard shows.
const latelyLines = 5

// lately merges the newest blocks, payouts, failed jobs and sign-ins.
func lately(blocks []blockLine, payouts []payoutLine, runs []runLine, logins []auditLine) []recentLine {
	var lines []recentLine
	for _, b := range blocks {
		lines = append(lines, recentLine{At: b.FoundAt, Kind: "block", State: b.State, Height: b.Height, Link: "/blocks/" + b.Hash})
	}
	for _, p := range payouts[:min(4, len(payouts))] {
		id := strconv.FormatInt(p.ID, 10)
		lines = append(lines, recentLine{At: p.UpdatedAt, Kind: "payout", State: p.State, Name: id, Amount: p.Total, Link: "/payouts/" + id})
	}
	for _, r := range runs {
		if !r.OK && !r.Finished.IsZero() {
			lines = append(lines, recentLine{At: r.Started, Kind: "job", State: "failed", Name: r.Job, Link: "/jobs"})
		}
	}
	for _, l := range logins {
		state := "failed"
		if l.Fine {
			state = "ok"
		}
		lines = append(lines, recentLine{At: l.At, Kind: "login", State: state, Name: l.Actor, IP: l.IP, Link: "/audit?action=login"})
	}
	slices.SortStableFunc(lines, func(a, b recentLine) int { return b.At.Compare(a.At) })
	return lines[:min(latelyLines, len(lines))]
}

func (m *machine) Blocks(ctx context.Context, before int64, limit int) ([]blockLine, error) {
	blocks, err := m.box.Ledger().Blocks(ctx, limit, before)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	var lines []blockLine
	for _, b := range blocks {
		lines = append(lines, m.blockLine(b))
	}
	return lines, nil
}

// Efforts finds out how much work each of some blocks took. A round ends with the
// share of a block; where that is not known, as the split is not made yet, the next
// round has no beginning either.
func (m *machine) Efforts(ctx context.Context, before int64, limit int) (map[int64]float64, error) {
	blocks, err := m.box.Ledger().Blocks(ctx, limit+1, before)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	var ends, of []int64 // of[i] is the block of the round that ends with ends[i], 0: of none that can be told
	if len(blocks) <= limit {
		ends, of = []int64{0}, []int64{0} // the oldest is the first of all
	}
	broken := false
	for _, b := range slices.Backward(blocks) {
		if !b.Frozen || len(ends) > 0 && b.WinnerSeq <= ends[len(ends)-1] {
			broken = true
			continue
		}
		id := b.ID
		if broken {
			id = 0
		}
		ends, of, broken = append(ends, b.WinnerSeq), append(of, id), false
	}
	rounds, err := m.box.Shares().RoundWorks(ctx, ends)
	if err != nil {
		return nil, err
	}
	efforts := map[int64]float64{}
	for i, effort := range rounds {
		if id := of[i+1]; id != 0 {
			efforts[id], _ = effort.Float64()
		}
	}
	return efforts, nil
}

func (m *machine) blockLine(b ledger.Block) blockLine {
	line := blockLine{
		ID: b.ID, Hash: b.Hash.String(), Height: b.Height, FoundAt: b.At, State: string(b.State),
		Value: b.Value, Finder: b.Address, Worker: b.Worker, Confirmations: b.LastConf,
	}
	p := m.box.Pool()
	if p == nil {
		return line
	}
	line.Maturity = p.Maturity
	if tip := p.Status().Height; tip >= b.Height && (b.State == ledger.StateAccepted || b.State == ledger.StateMature) {
		line.Confirmations = tip - b.Height + 1
	}
	return line
}

func (m *machine) Block(ctx context.Context, hash string) (blockView, error) {
	id, err := chainhash.NewHashFromStr(hash)
	if err != nil || len(hash) != 2*chainhash.HashSize {
		return blockView{}, notFound()
	}
	b, err := m.box.Ledger().Block(ctx, *id)
	if errors.Is(err, ledger.ErrNotFound) {
		return blockView{}, notFound()
	}
	if err != nil {
		return blockView{}, fmt.Errorf("read block: %w", err)
	}
	v := blockView{
		blockLine: m.blockLine(b), Prev: b.Prev.String(), CoinbaseTx: b.CoinbaseTxID.String(),
		Answer: b.SubmitResult, Submitted: b.Submitted, Frozen: b.Frozen, Settlement: b.Terms.Settlement,
		FeeBps: b.Terms.FeeBps, WindowPct: approximate(float64(b.Terms.WindowMilli) / 10),
		Fee: b.Fee, Donation: b.Donation, Reserve: b.Reserve, Paid: b.Paid,
	}
	if b.Frozen {
		if f, err := m.Receipt(ctx, hash); err == nil {
			v.Digest = f.Digest
		} else {
			m.log.Warn("Receipt not written", "hash", hash, "err", err)
		}
	}
	if target, err := work.TargetFromBits(b.Bits); err == nil {
		v.Difficulty = new(target.Difficulty())
	}
	coinbase, err := pool.DecodeCoinbase(b, m.Identity().Network)
	if err != nil {
		m.log.Warn("Coinbase not decoded", "hash", hash, "err", err)
	}
	v.Text = coinbase.Text
	for _, out := range coinbase.Outputs {
		v.Outputs = append(v.Outputs, outputLine{out.Amount, out.Address, string(out.Whose)})
	}
	for _, row := range b.Split {
		line := creditLine{Address: row.Address, Amount: row.Amount, Paid: row.Paid}
		if b.Value > 0 {
			line.Share = new(float64(row.Amount) / float64(b.Value))
		}
		v.Credits = append(v.Credits, line)
	}
	slices.SortStableFunc(v.Credits, func(a, b creditLine) int { return cmp.Compare(b.Amount, a.Amount) })
	return v, nil
}

func (m *machine) Chances(ctx context.Context) luck {
	p := m.box.Pool()
	if p == nil {
		return luck{}
	}
	totals, err := m.box.Shares().Totals(ctx, "", time.Now())
	if err != nil {
		return luck{}
	}
	return newLuck(orNil(p.Status().NetworkDifficulty), ratesOf(totals).H1)
}

// feed is what the node and the template source say together.
func (m *machine) feed(ctx context.Context, s pool.Status) feedView {
	n := m.nodeStatus(ctx)
	v := feedView{
		Height: s.Height, TipAt: s.TipAt, TemplateAt: s.TemplateAt, Txs: s.TemplateTxs,
		Difficulty: orNil(s.NetworkDifficulty),
		Phase:      n.Phase, Text: n.Text, Version: n.Version, Problem: n.Problem,
	}
	if s.CoinbaseValue > 0 {
		v.Value = &s.CoinbaseValue
	}
	if n.Asked {
		v.Height, v.Peers = n.Height, &n.Peers
		if v.TipAt.IsZero() {
			v.TipAt = n.TipTime
		}
	}
	return v
}
