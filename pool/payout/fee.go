package payout

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// FeePolicy says who bears the network fee of a payout. It is fixed when the
// payout is drafted.
type FeePolicy string

// The fee policies.
const (
	// FeePool leaves the miners' amounts whole. The fee comes out of what the
	// pool earned; where it earned less, see [ledger.Sums.Shortfall].
	FeePool FeePolicy = "pool"
	// FeeMiners takes the fee from the amounts, from each the same number of
	// satoshis: one output weighs about as much as another. What cannot be divided falls
	// on the first.
	FeeMiners FeePolicy = "miners"
)

// share returns the items with what each bears of the fee of the transaction
// that the wallet proposes. The parts are fixed with the plan, before anybody
// approves it, and whatever the transaction costs later, nobody gets less.
func (f FeePolicy) share(tx *wire.MsgTx, items []Item) ([]Item, error) {
	if f != FeeMiners {
		return items, nil
	}

	arriving := make(map[string]int64, len(items))
	for _, out := range tx.TxOut {
		arriving[string(out.PkScript)] += out.Value
	}

	least, most := int64(0), int64(0)
	shared := make([]Item, len(items))
	for n, i := range items {
		net := arriving[string(i.Script)]
		switch i.FeeShare = i.Amount - net; {
		case net > i.Amount:
			return nil, fmt.Errorf("%d sats are paid to %s, which is owed %d sats", net, i.Address, i.Amount)
		case net < dustLimit(i.Script):
			return nil, fmt.Errorf("with its share of the network fee %s would get %d sats, which is dust", i.Address, net)
		case n == 0:
			least, most = i.FeeShare, i.FeeShare
		}
		least, most = min(least, i.FeeShare), max(most, i.FeeShare)
		shared[n] = i
	}
	if most-least >= max(int64(len(items)), 1) {
		return nil, fmt.Errorf("the network fee is not shared alike: between %d and %d sats", least, most)
	}

	return shared, nil
}
