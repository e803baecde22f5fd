package payout

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Kind says what a transaction is to its payout.
type Kind string

// The kinds of transactions.
const (
	KindPay     Kind = "pay"     // pays the miners: the first one
	KindBump    Kind = "bump"    // pays them the same with a higher fee
	KindCancel  Kind = "cancel"  // sends the payout's coins back to the wallet
	KindSponsor Kind = "sponsor" // spends the payout's change, to make it worth mining
)

// Fate is what has become of a transaction.
type Fate string

// The fates of transactions.
const (
	FateFunded    Fate = "funded"    // not signed yet
	FateSigned    Fate = "signed"    // stored, and not taken by the node so far
	FateBroadcast Fate = "broadcast" // the node has it
	FateEvicted   Fate = "evicted"   // the node had it, and does not take it now
	FateConfirmed Fate = "confirmed" // in a block
	FateSettled   Fate = "settled"   // of a sponsor: its fee is booked
	FateReplaced  Fate = "replaced"  // the node has a newer one that spends the same coins
	FateDead      Fate = "dead"      // another one that spends the same coins is in a block, or the coins are gone
)

// Attempt is one transaction of a payout. The attempts of a payout, but for its
// sponsors, are a family: all spend the same coins, so one of them confirms at
// most. Amounts are satoshis.
type Attempt struct {
	Kind        Kind
	Fate        Fate
	TxID        chainhash.Hash
	Fee, Change int64
	VSize       int64           // vbytes, zero until signed
	Replaces    *chainhash.Hash // the attempt that it was made to replace, or whose change it spends; nil for none
	Height      int32           // of the block that holds it, zero for none
	ExportedAt  time.Time       // when it was first handed out to be signed elsewhere; zero for never
	FirstSeen   time.Time       // when the node first took it; zero for never
	Refusal     string          // why the node last refused it; empty when it did not
	FeeCap      int64           // what an approval of it allows the fee to be
	Digest      []byte          // what that approval is bound to

	id        int64
	rev       int64 // of the payout for which it was planned; zero for the first
	approved  bool  // may be signed; of the first the payout's state says so
	raw       []byte
	blockHash *chainhash.Hash
}

// Signed reports whether the signed transaction is stored, and so may be known
// to others.
func (a Attempt) Signed() bool { return a.raw != nil }

// Exported reports whether it was handed out to be signed elsewhere.
func (a Attempt) Exported() bool { return !a.ExportedAt.IsZero() }

// inPlay reports whether the attempt is one to be sent.
func (a Attempt) inPlay() bool {
	switch a.Fate {
	case FateSigned, FateBroadcast, FateEvicted, FateConfirmed:
		return true
	}

	return false
}

// head is the attempt that is sent now: the newest signed one that was not
// replaced or overtaken. While the payout is being cancelled, only a cancelling
// one counts. If all are dead, which can turn out to be untrue, it is the newest.
func (p Payout) head() (Attempt, bool) {
	var last Attempt
	found := false
	for _, a := range p.Attempts {
		if !a.Signed() || (a.Kind == KindCancel) != (p.State == Cancelling) {
			continue
		}
		if a.inPlay() || !found || !last.inPlay() {
			last, found = a, true
		}
	}

	return last, found
}

// taken is the attempt that the node has.
func (p Payout) taken() (Attempt, bool) {
	for _, a := range slices.Backward(p.Attempts) {
		if a.Fate == FateBroadcast {
			return a, true
		}
	}

	return Attempt{}, false
}

// next is the attempt that waits for its signature.
func (p Payout) next() (Attempt, bool) {
	for _, a := range slices.Backward(p.Attempts) {
		if a.Fate == FateFunded && a.Kind != KindPay {
			return a, true
		}
	}

	return Attempt{}, false
}

// asked is the attempt that waits for an approval of its own: its fee is higher
// than what was approved before.
func (p Payout) asked() (Attempt, bool) {
	a, ok := p.next()

	return a, ok && !a.approved
}

// sponsored reports whether a child of the payout may be in the mempool.
func (p Payout) sponsored() bool {
	return slices.ContainsFunc(p.Sponsors, func(s Attempt) bool { return s.Fate == FateSigned || s.Fate == FateBroadcast })
}

// highestFee is the most that any attempt pays that is or may be signed: what
// replaces them all has to pay more.
func (p Payout) highestFee() (fee int64) {
	for _, a := range p.Attempts {
		if a.Signed() || a.Exported() {
			fee = max(fee, a.Fee)
		}
	}

	return fee
}

// sighting is what the wallet says about an attempt.
type sighting struct {
	attempt       Attempt
	confirmations int32 // negative: those of a transaction that has taken one of its coins
	height        int32
	block         *chainhash.Hash // nil while unconfirmed or unknown
}

// confirmedCancel is the cancelling attempt that is noted as being in a block.
func (p Payout) confirmedCancel() Attempt {
	for _, a := range p.Attempts {
		if a.Kind == KindCancel && a.Fate == FateConfirmed {
			return a
		}
	}

	return Attempt{}
}

// outPoints are the coins of the payout.
func (p Payout) outPoints() []wire.OutPoint { return outPointsOf(p.Inputs) }

// look asks the wallet about all signed attempts of a payout. Whether an attempt
// was replaced or is dead in our eyes does not matter: the blocks decide.
func (d *Desk) look(ctx context.Context, one Payout) ([]sighting, error) {
	var all []sighting
	for _, a := range one.Attempts {
		if !a.Signed() {
			continue
		}
		s, err := d.sight(ctx, a)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}

	return all, nil
}

// sight asks the wallet about one transaction. That it does not know it means
// nothing, as it can have been restored: what was noted as being in a block is
// there as long as the block is in the chain.
func (d *Desk) sight(ctx context.Context, a Attempt) (sighting, error) {
	s := sighting{attempt: a}
	tx, err := d.wallet.WalletTx(ctx, a.TxID)
	switch {
	case node.IsCode(err, node.ErrCodeNotFound):
		if s.confirmations, err = d.depth(ctx, a.blockHash); s.confirmations > 0 {
			s.height, s.block = a.Height, a.blockHash
		}
	case err == nil:
		s.confirmations = tx.Confirmations
		if tx.Confirmations > 0 && tx.BlockHash != nil {
			s.height, s.block = tx.BlockHeight, tx.BlockHash
		}
	}

	return s, err
}

// depth is the number of blocks from one to the tip, both included; zero when it is
// not in the chain, or is nil.
func (d *Desk) depth(ctx context.Context, block *chainhash.Hash) (int32, error) {
	if block == nil {
		return 0, nil
	}
	header, err := d.wallet.Header(ctx, *block)
	if node.IsCode(err, node.ErrCodeNotFound) {
		return 0, nil
	}

	return max(0, header.Confirmations), err
}

// winner returns the attempt that is in a block.
func winner(all []sighting) (sighting, bool) {
	n := slices.IndexFunc(all, func(s sighting) bool { return s.block != nil })
	if n < 0 {
		return sighting{}, false
	}

	return all[n], true
}

// overtaken returns by how many blocks, at least, every attempt has lost a coin
// to a transaction that is none of the family; zero when one of them has not.
func overtaken(all []sighting) (blocks int32) {
	for n, s := range all {
		if s.confirmations >= 0 {
			return 0
		}
		if n == 0 || -s.confirmations < blocks {
			blocks = -s.confirmations
		}
	}

	return blocks
}

// loadAttempts reads the family of a payout, oldest first.
func loadAttempts(ctx context.Context, q sqlite.Querier, payout int64) ([]Attempt, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT t.id, t.kind, t.state, t.expected, t.raw, t.fee, t.change, COALESCE(t.vsize, 0), r.expected,
		       COALESCE(t.height, 0), t.blockhash, t.first_seen, t.last_err,
		       COALESCE(t.fee_cap, p.fee_cap), COALESCE(t.digest, p.plan_digest), COALESCE(t.rev, 0), t.approved,
		       t.exported_at
		FROM payout_tx t
		JOIN payout p         ON p.id = t.payout
		LEFT JOIN payout_tx r ON r.id = t.replaces
		WHERE t.payout = ?
		ORDER BY t.n`, payout)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(r *sql.Rows) (Attempt, error) {
		var a Attempt
		var txid *chainhash.Hash
		var seen, exported sql.NullInt64
		err := r.Scan(&a.id, &a.Kind, &a.Fate, hashColumn{&txid}, &a.raw, &a.Fee, &a.Change, &a.VSize, hashColumn{&a.Replaces},
			&a.Height, hashColumn{&a.blockHash}, &seen, &a.Refusal, &a.FeeCap, &a.Digest, &a.rev, &a.approved,
			&exported)
		if err != nil {
			return Attempt{}, err
		}
		a.TxID = *txid
		if seen.Valid {
			a.FirstSeen = time.UnixMilli(seen.Int64)
		}
		if exported.Valid {
			a.ExportedAt = time.UnixMilli(exported.Int64)
		}

		return a, nil
	})
}

// through reads a payout as one of its attempts would have it: its transaction,
// coins, fee, cap and digest are that attempt's. A cancelling attempt pays no
// item.
func (d *Desk) through(ctx context.Context, one Payout, a Attempt) (Payout, error) {
	p, err := scanPayout(d.db.Reader().QueryRowContext(ctx, payoutColumns+`
		FROM payout p JOIN payout_tx t ON t.payout = p.id WHERE p.id = ? AND t.id = ?`, one.ID, a.id), d.tip.Load())
	if err == nil {
		p.Inputs, err = loadInputs(ctx, d.db.Reader(), a.id)
	}
	if err != nil {
		return Payout{}, fmt.Errorf("read attempt %v: %w", a.TxID, err)
	}
	if a.Kind != KindCancel {
		p.Items = one.Items
	}
	p.Approvals, p.Attempts = one.Approvals, one.Attempts

	return p, nil
}
