package rehearsal

import (
	"context"
	"fmt"
)

// takeStock writes down, a line each, all that the books say: sums, balances, blocks and
// payouts.
func (b *box) takeStock(ctx context.Context) (lines []string, err error) {
	sums, err := b.Ledger().Sums(ctx)
	if err != nil {
		return nil, err
	}
	lines = append(lines, fmt.Sprintf("sums %+v", sums))
	balances, err := b.Ledger().Balances(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range balances {
		lines = append(lines, fmt.Sprintf("miner %s: %d sat pending, %d payable, %d reserved, %d paid", m.Address, m.Pending, m.Payable, m.Reserved, m.Paid))
	}
	blocks, err := b.Ledger().Blocks(ctx, maxBlocks, 0)
	if err != nil {
		return nil, err
	}
	for _, one := range blocks {
		lines = append(lines, fmt.Sprintf("block %d %s: %s, %d sat, fee %d", one.Height, one.Hash, one.State, one.Value, one.Fee))
	}
	payouts, err := b.Payouts().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range payouts {
		lines = append(lines, fmt.Sprintf("payout %d: %s, %d sat, fee %d, transaction %v", p.ID, p.State, p.Total, p.Fee, p.TxID))
	}
	return lines, nil
}

// difference names the first line in which two stocks differ, and is empty when none
// does.
func difference(before, now []string) string {
	for i := range max(len(before), len(now)) {
		switch {
		case i >= len(now):
			return fmt.Sprintf("%q is missing", before[i])
		case i >= len(before):
			return fmt.Sprintf("%q is new", now[i])
		case before[i] != now[i]:
			return fmt.Sprintf("%q was %q", now[i], before[i])
		}
	}
	return ""
}
