package webui

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/shares"
)

func (m *machine) ParseAddress(text string) (string, error) {
	canonical, _, err := pool.ParseAddress(text, m.box.Network())
	return canonical, err
}

func (m *machine) Observer(ctx context.Context, address string) (observerView, error) {
	p, err := m.pool()
	if err != nil {
		return observerView{}, err
	}
	_, script, err := pool.ParseAddress(address, m.box.Network())
	if err != nil {
		return observerView{}, invalid(asSentence(err))
	}
	v := observerView{Address: address}
	mined, err := m.box.Shares().Exists(ctx, address)
	if err != nil {
		return v, fmt.Errorf("look for shares: %w", err)
	}
	balance, credited, err := m.box.Ledger().BalanceOf(ctx, address)
	if err != nil {
		return v, fmt.Errorf("read balance: %w", err)
	}
	status := p.Status()
	if v.Workers, err = m.workersOf(ctx, address, status.Sessions); err != nil {
		return v, err
	}
	v.Known = mined || credited || len(v.Workers) > 0
	if !v.Known {
		return v, nil
	}
	totals, err := m.box.Shares().Totals(ctx, address, time.Now())
	if err != nil {
		return v, fmt.Errorf("add up shares: %w", err)
	}
	v.Rates, v.LastShare, v.Accepted = ratesOf(totals), totals.LastShare, totals.Accepted
	v.FirstShare = totals.FirstShare
	v.Reasons, v.Rejected = reasonsOf(totals.Rejected)
	v.Best = bests{Session: bestSession(v.Workers), Round: orNil(totals.BestRound), Ever: orNil(totals.BestEver), EverAt: totals.BestEverAt}
	v.Balance = balanceView{Unpaid: balance.Payable, Pending: balance.Pending, Reserved: balance.Reserved, Paid: balance.Paid}
	v.MinPayout = max(m.box.Settings().MinPayoutSat, balance.MinPayout)
	v.Luck = newLuck(orNil(status.NetworkDifficulty), v.Rates.H1)
	if v.Solo = status.Settlement == ledger.SettlementSolo; !v.Solo {
		v.WindowPct, v.Estimate = m.nextBlock(ctx, script, status.CoinbaseValue)
	}
	return v, nil
}

func bestSession(workers []workerLine) *float64 {
	var best *float64
	for _, w := range workers {
		if w.Best.Session != nil && (best == nil || *w.Best.Session > *best) {
			best = w.Best.Session
		}
	}
	return best
}

// window is the PPLNS window as it would be if a block were found now.
type window struct {
	terms   ledger.Terms
	entries []shares.Entry
}

const windowTTL = 10 * time.Second

// currentWindow computes the window at most once in ten seconds: it is the one
// answer here that reads much of the share log.
func (m *machine) currentWindow(ctx context.Context) window {
	return m.window.get(windowTTL, func() window {
		ctx, cancel := patient(ctx)
		defer cancel()
		terms, log := m.box.Settings().Terms(), m.box.Shares()
		seq := log.Last()
		if seq == 0 {
			return window{}
		}
		w, err := log.Window(ctx, seq, terms.WindowMilli)
		if err != nil {
			m.log.Warn("Window not read", "err", err)
			return window{}
		}
		return window{terms: terms, entries: w.Entries}
	})
}

// nextBlock is the account's part of the window, and what a block worth value
// would credit it with; nil when not known.
func (m *machine) nextBlock(ctx context.Context, script []byte, value int64) (part *float64, sats *int64) {
	w := m.currentWindow(ctx)
	if len(w.entries) == 0 {
		return nil, nil
	}
	own, all := -1, new(big.Rat)
	in := ledger.SplitInput{Value: value, Terms: w.terms}
	for i, e := range w.entries {
		in.Weights = append(in.Weights, ledger.AccountWeight{Account: int64(i), Score: e.Score})
		all.Add(all, e.Score)
		if bytes.Equal(e.Script, script) {
			own = i
		}
	}
	if own < 0 {
		return new(0.0), new(int64)
	}
	share, _ := new(big.Rat).Quo(w.entries[own].Score, all).Float64()
	if value <= 0 {
		return &share, nil
	}
	split, err := ledger.Split(in)
	if err != nil {
		m.log.Warn("Split not estimated", "err", err)
		return &share, nil
	}
	for _, c := range split.Credits {
		if c.Account == int64(own) {
			return &share, &c.Amount
		}
	}
	return &share, nil
}

// Shares pages through the newest shares. The log keeps single shares for 48
// hours; total counts all that were ever accepted.
func (m *machine) Shares(ctx context.Context, address string, limit, offset int) ([]shareLine, int64, error) {
	if _, err := m.pool(); err != nil {
		return nil, 0, err
	}
	totals, err := m.box.Shares().Totals(ctx, address, time.Now())
	if err != nil {
		return nil, 0, fmt.Errorf("add up shares: %w", err)
	}
	rows, err := m.box.Shares().Recent(ctx, address, limit+offset, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("read shares: %w", err)
	}
	var lines []shareLine
	for _, r := range rows[min(offset, len(rows)):] {
		lines = append(lines, shareLine{At: r.At, Worker: r.Worker, Difficulty: r.Difficulty, Achieved: r.Achieved, Late: r.Late, Block: r.Block})
	}
	return lines, totals.Accepted, nil
}

// maxPaid bounds the payouts of one address that are read: years of them.
const maxPaid = 10_000

func (m *machine) PaidTo(ctx context.Context, address string, limit, offset int) ([]paidLine, int64, error) {
	desk, err := m.desk()
	if err != nil {
		return nil, 0, err
	}
	items, err := desk.PaidTo(ctx, address, maxPaid)
	if err != nil {
		return nil, 0, fmt.Errorf("read payments: %w", err)
	}
	total := len(items)
	items = items[min(offset, total):min(offset+limit, total)]
	if err := desk.Locate(ctx, address, items); err != nil {
		return nil, 0, err
	}
	var lines []paidLine
	for _, i := range items {
		lines = append(lines, paidLineOf(i))
	}
	return lines, int64(total), nil
}

func paidLineOf(i payout.PaidItem) paidLine {
	line := paidLine{ID: i.Payout, Amount: i.Amount, State: string(i.State), CreatedAt: i.At, Confirmations: i.Confirmations}
	if i.TxID != nil {
		line.TxID = i.TxID.String()
	}
	if i.Vout != nil {
		line.Vout = new(int(*i.Vout))
	}
	return line
}
