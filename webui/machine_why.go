package webui

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

// whyBlocks is how many of the pool's newest blocks are looked at.
const whyBlocks = 20

// Why gathers what is known of an address on its way to a payment.
func (m *machine) Why(ctx context.Context, address string) (whyFacts, error) {
	p, err := m.pool()
	if err != nil {
		return whyFacts{}, err
	}
	now, settings, status := time.Now(), m.box.Settings(), p.Status()
	f := whyFacts{Now: now, Every: time.Duration(settings.PayoutEvery) * time.Second, Solo: status.Settlement == ledger.SettlementSolo}
	totals, err := m.box.Shares().Totals(ctx, address, now)
	if err != nil {
		return f, fmt.Errorf("add up shares: %w", err)
	}
	all, err := m.box.Shares().Totals(ctx, "", now)
	if err != nil {
		return f, fmt.Errorf("add up shares: %w", err)
	}
	f.Shares, f.FirstShare, f.LastShare = totals.Accepted, totals.FirstShare, totals.LastShare
	f.Luck = newLuck(orNil(status.NetworkDifficulty), ratesOf(all).H24)
	balance, credited, err := m.box.Ledger().BalanceOf(ctx, address)
	if err != nil {
		return f, fmt.Errorf("read balance: %w", err)
	}
	f.Credited, f.Hold, f.Least = credited, balance.Hold, max(settings.MinPayoutSat, balance.MinPayout)
	f.Balance = balanceView{Unpaid: balance.Payable, Pending: balance.Pending, Reserved: balance.Reserved, Paid: balance.Paid}
	if f.Blocks, err = m.whyBlocks(ctx, address, f.FirstShare); err != nil {
		return f, err
	}
	return f, m.whyPaid(ctx, address, &f)
}

// whyBlocks reads the newest blocks since a first share with the part of an address.
func (m *machine) whyBlocks(ctx context.Context, address string, since time.Time) (list []whyBlock, err error) {
	blocks, err := m.box.Ledger().Blocks(ctx, whyBlocks, 0)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	for _, b := range blocks {
		if since.IsZero() || b.At.Before(since) {
			continue
		}
		whole, err := m.box.Ledger().Block(ctx, b.Hash)
		if err != nil {
			return nil, fmt.Errorf("read block: %w", err)
		}
		line := whyBlock{blockLine: m.blockLine(b), Split: b.Frozen, Solo: b.Terms.Settlement == ledger.SettlementSolo}
		if i := slices.IndexFunc(whole.Split, func(r ledger.SplitRow) bool { return r.Address == address }); i >= 0 {
			line.Part, line.Paid = whole.Split[i].Amount, whole.Split[i].Paid
		}
		list = append(list, line)
	}
	return list, nil
}

// whyPaid fills in what the payouts know.
func (m *machine) whyPaid(ctx context.Context, address string, f *whyFacts) error {
	desk, err := m.desk()
	if err != nil {
		return err
	}
	_, f.Frozen = desk.Frozen(ctx)
	owed, err := desk.Owed(ctx)
	if err != nil {
		return fmt.Errorf("read what is owed: %w", err)
	}
	for _, due := range owed {
		if due.Address == address {
			f.Left = due.Reason
		}
	}
	paid, _, err := m.PaidTo(ctx, address, 1, 0)
	if err != nil || len(paid) == 0 {
		return err
	}
	f.Payment = &whyPayment{paid[0], payout.DefaultConfirmationsToSettle}
	return nil
}
