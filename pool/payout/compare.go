package payout

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Comparison holds what the books say that the wallet has against what it has,
// at one moment of the chain. Amounts are satoshis.
type Comparison struct {
	At     time.Time
	Height int32

	Booked int64 // wallet:immature and wallet:spendable
	// OnTheWay is what has left the wallet and is not booked yet, because it is
	// not final: payouts that were sent, and rewards of blocks that were just
	// orphaned. It is negative while a payout that was booked is out of the chain.
	OnTheWay int64
	Wallet   int64 // confirmed coins of the wallet, mature or not
}

// Missing is what the wallet should have and does not; zero when nothing is missing.
func (c Comparison) Missing() int64 { return max(0, c.Booked-c.OnTheWay-c.Wallet) }

// Surplus is what the wallet has and the books do not know of: somebody has sent
// coins to it, or a block was found that is not booked yet.
func (c Comparison) Surplus() int64 { return max(0, c.Wallet-c.Booked+c.OnTheWay) }

// Compared returns the latest comparison, false before the first.
func (d *Desk) Compared() (Comparison, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.comparison, !d.comparison.At.IsZero()
}

// compareOnce compares books and wallet once for each new block, and freezes
// payouts when coins are missing. Nothing is missing on one look alone: the
// second one, at the next pass, has to find the same.
func (d *Desk) compareOnce(ctx context.Context, p pass) error {
	if p.chain.BestBlockHash == d.comparedAt {
		return nil
	}
	c, ok, err := d.compare(ctx, p)
	if err != nil || !ok {
		return err
	}

	d.mu.Lock()
	d.comparison = c
	d.mu.Unlock()

	missing := c.Missing()
	if missing == 0 || missing == d.missed {
		d.comparedAt = p.chain.BestBlockHash
	}
	again := missing == d.missed
	d.missed = missing
	if missing == 0 || !again || p.frozen {
		return nil
	}

	return d.freezeMissing(ctx, c)
}

// compare looks at books and wallet. Both move while they are looked at, so ok is
// false, and nothing was learnt, unless they are at the tip of the chain at which
// this pass began and the same before and after.
func (d *Desk) compare(ctx context.Context, p pass) (c Comparison, ok bool, err error) {
	before, err := d.wallet.Balances(ctx)
	if err != nil || before.LastBlock != p.chain.BestBlockHash {
		return c, false, err
	}
	sums, err := d.ledger.Sums(ctx)
	if err != nil {
		return c, false, err
	}

	c = Comparison{
		At: d.now(), Height: p.chain.Blocks,
		Booked: sums.Immature + sums.Spendable, Wallet: int64(before.Trusted + before.Immature),
	}
	if c.OnTheWay, err = d.unbooked(ctx); err != nil {
		return c, false, err
	}
	if c.Missing() > 0 {
		lost, err := d.lostBlocks(ctx)
		if err != nil {
			return c, false, err
		}
		c.OnTheWay += lost
	}

	after, err := d.wallet.Balances(ctx)
	if err != nil {
		return c, false, err
	}
	again, err := d.ledger.Sums(ctx)

	return c, err == nil && before == after && sums == again, err
}

// outgoing is a transaction of ours that spends coins of the wallet.
type outgoing struct {
	txid   chainhash.Hash
	block  *chainhash.Hash         // that it was last seen in, nil for none
	coins  map[wire.OutPoint]int64 // what it spends
	change int64                   // what returns to the wallet
}

// unbooked is what our own transactions have taken out of the wallet's confirmed
// coins less what of that is booked, for every payout that is not final beyond
// doubt. A confirmed one has taken what it pays and its fee. An unconfirmed one
// that the wallet knows has taken all of its coins, the change included, which is
// no confirmed coin yet.
func (d *Desk) unbooked(ctx context.Context) (int64, error) {
	all, err := d.outgoing(ctx)
	if err != nil {
		return 0, err
	}

	var sum int64
	waiting := make(map[chainhash.Hash]bool)
	taken := make(map[wire.OutPoint]int64)
	for _, o := range all {
		tx, err := d.wallet.WalletTx(ctx, o.txid)
		unknown := node.IsCode(err, node.ErrCodeNotFound)
		if unknown {
			tx.Confirmations, err = d.depth(ctx, o.block)
		}
		if err != nil {
			return 0, err
		}
		switch {
		case unknown && tx.Confirmations == 0: // never sent: its coins are where they were
		case tx.Confirmations > 0:
			for _, amount := range o.coins {
				sum += amount
			}
			sum -= o.change
		case tx.Confirmations == 0 && !tx.Abandoned():
			waiting[o.txid] = true
			for coin, amount := range o.coins {
				taken[coin] = amount
			}
		}
	}
	for coin, amount := range taken {
		if !waiting[coin.Hash] { // else it is change that is counted with the coins of its parent
			sum += amount
		}
	}

	booked, err := d.bookedFor(ctx)

	return sum - booked, err
}

// notFinal are the payouts that can still move: open ones, and those whose coins
// are still leased because a reorganisation could bring them back.
const notFinal = `
	SELECT id FROM payout WHERE state NOT IN ('settled', 'cancelled', 'expired', 'failed')
	UNION
	SELECT payout FROM utxo_lease`

// outgoing lists the transactions of payouts that are not final, and those that
// spend their change to get them mined. Which output the change is does not
// matter here, so it has a number that no output has.
func (d *Desk) outgoing(ctx context.Context) ([]outgoing, error) {
	rows, err := d.db.Reader().QueryContext(ctx, `
		SELECT t.expected, t.blockhash, t.change, i.txid, i.vout, i.amount
		FROM payout_tx t JOIN tx_input i ON i.payout_tx = t.id
		WHERE t.payout IN (`+notFinal+`)
		UNION ALL
		SELECT s.txid, s.blockhash, s.change, t.expected, 0xffffffff, s.fee + s.change
		FROM sponsor s JOIN payout_tx t ON t.id = s.parent
		WHERE t.payout IN (`+notFinal+`)
		ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("list transactions on the way: %w", err)
	}

	var all []outgoing
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (struct{}, error) {
		var o outgoing
		var txid, from *chainhash.Hash
		var vout uint32
		var amount int64
		if err := r.Scan(hashColumn{&txid}, hashColumn{&o.block}, &o.change, hashColumn{&from}, &vout, &amount); err != nil {
			return struct{}{}, err
		}
		o.txid = *txid
		if n := len(all); n == 0 || all[n-1].txid != o.txid {
			o.coins = make(map[wire.OutPoint]int64)
			all = append(all, o)
		}
		all[len(all)-1].coins[wire.OutPoint{Hash: *from, Index: vout}] = amount

		return struct{}{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list transactions on the way: %w", err)
	}

	return all, nil
}

// bookedFor is what the books have taken out of the wallet for the payouts that
// are not final.
func (d *Desk) bookedFor(ctx context.Context) (sum int64, err error) {
	err = d.db.Reader().QueryRowContext(ctx, `
		SELECT COALESCE(-SUM(p.amount), 0)
		FROM (`+notFinal+`) o
		JOIN event e   ON e.ref = 'pay:' || o.id
		JOIN posting p ON p.event = e.id AND p.account = ?`, ledger.WalletSpendable).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("add up what was booked: %w", err)
	}

	return sum, nil
}

// lostBlocks is what the books hold for blocks that the node does not have in its
// main chain at this moment: the chain job has not seen it yet, or it waits until
// the node knows the block again. The wallet does not have those coins.
func (d *Desk) lostBlocks(ctx context.Context) (sum int64, err error) {
	assets, err := d.ledger.BlockAssets(ctx)
	if err != nil {
		return 0, err
	}
	for hash, amount := range assets {
		header, err := d.wallet.Header(ctx, hash)
		if err != nil && !node.IsCode(err, node.ErrCodeNotFound) {
			return 0, err
		}
		if err != nil || header.Confirmations < 1 {
			sum += amount
		}
	}

	return sum, nil
}
