package payout

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Sponsor gets a payout mined by a child (CPFP): a transaction that spends its
// change, back to the wallet, and pays so much that both together offer the fee
// rate of the change. It is for a payout whose outputs are spent already, so that
// it cannot be replaced. The child is signed and sent at once; the same call
// again replaces it by one with a higher fee. Its fee is the pool's.
func (d *Desk) Sponsor(ctx context.Context, c Change) error {
	return d.change(ctx, "sponsor", c, func(can Can) bool { return can.Sponsor }, func(p pass, one Payout) error {
		parent, _ := one.taken()
		script, err := d.changeScript(ctx, p)
		if err != nil {
			return err
		}
		base, err := d.through(ctx, one, parent)
		if err != nil {
			return err
		}
		plan, text, err := base.child(script)
		if err != nil {
			return err
		}

		// The parent has paid its part of what both have to.
		size, before := plan.vsize(), int64(0)
		for _, s := range one.Sponsors {
			before = max(before, s.Fee)
		}
		both, err := d.fee(ctx, c.FeeRate, parent.VSize+size, parent.Fee+before)
		if err != nil {
			return err
		}
		if highest := d.policy().feeCap(one.Total); both > highest {
			return fmt.Errorf("%w: the network fee of %d sats for both, at most %d sats are allowed", ErrCap, both, highest)
		}
		plan.FeeCap = both - parent.Fee
		if plan, text, err = plan.raised(text, plan.FeeCap); err != nil {
			return err
		}

		raw, err := d.signature(ctx, text)
		if err != nil {
			return err
		}
		tx, err := plan.checkSigned(raw)
		if err != nil {
			return problemf("The signed transaction is refused: %v.", err)
		}
		if err := d.storeSponsor(ctx, one, parent, plan, tx, raw, c); err != nil {
			return err
		}
		if one, err = d.Get(ctx, one.ID); err != nil {
			return err
		}

		return d.trackSponsors(ctx, p, one)
	})
}

// child is a plan that spends the change of a payout to a script of the wallet.
// Its fee is still to be [Plan.raised].
func (p Payout) child(script []byte) (Plan, string, error) {
	parent, err := p.approved()
	if err != nil {
		return Plan{}, "", err
	}
	packet, err := decodePSBT(p.PSBT)
	if err != nil {
		return Plan{}, "", err
	}
	coin := Input{OutPoint: wire.OutPoint{Hash: parent.TxID}, Amount: parent.Change, Script: parent.ChangeScript}
	rest, err := unplanned(packet.UnsignedTx, p.Items)
	if err != nil {
		return Plan{}, "", err
	}
	for n, out := range packet.UnsignedTx.TxOut {
		if len(rest) == 1 && out == rest[0] {
			coin.OutPoint.Index = uint32(n)
		}
	}

	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&coin.OutPoint, nil, nil)
	in.Sequence = wire.MaxTxInSequenceNum - 2 // can be replaced (BIP 125)
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(coin.Amount, script))
	child, err := psbt.NewFromUnsignedTx(tx)
	if err != nil {
		return Plan{}, "", fmt.Errorf("make psbt: %w", err)
	}
	child.Inputs[0].WitnessUtxo = wire.NewTxOut(coin.Amount, coin.Script)
	text, err := child.B64Encode()
	if err != nil {
		return Plan{}, "", fmt.Errorf("write psbt: %w", err)
	}

	return Plan{
		Payout: p.ID, Inputs: []Input{coin}, Change: coin.Amount, ChangeScript: script, TxID: tx.TxHash(),
	}, text, nil
}

// storeSponsor stores a signed child and the lease of the coin that it spends.
func (d *Desk) storeSponsor(ctx context.Context, one Payout, parent Attempt, plan Plan, tx *wire.MsgTx, raw []byte, c Change) error {
	now, coin := d.now(), plan.Inputs[0].OutPoint

	err := d.ledger.Update(ctx, func(t *ledger.Tx) error {
		if err := move(ctx, t.Tx, one, one.State, now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `
			INSERT INTO sponsor (parent, raw, txid, fee, change, vsize, actor, ip, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			parent.id, raw, plan.TxID[:], plan.Fee, plan.Change, vsize(tx), c.Actor, c.IP, now.UnixMilli())
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `
			INSERT INTO utxo_lease (txid, vout, payout)
			SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM utxo_lease WHERE txid = ?1 AND vout = ?2)`,
			coin.Hash[:], coin.Index, one.ID)
		if err != nil {
			return err
		}

		return d.record(ctx, t, c.deed("payout.sponsor", plan.deedDetail()))
	})
	if err != nil {
		return fmt.Errorf("store child: %w", err)
	}

	d.log.Info("Payout sponsored", "payout", one.ID, "txid", plan.TxID, "fee", plan.Fee, "user", c.Actor)
	d.changed(one)

	return nil
}

// trackSponsors compares the children of a payout with the chain, books what they
// cost once they are deep enough, and sends the newest again as long as its parent
// is there. Nothing waits for them.
func (d *Desk) trackSponsors(ctx context.Context, p pass, one Payout) error {
	for n, s := range one.Sponsors {
		seen, err := d.sight(ctx, s)
		if err != nil {
			return err
		}

		next := s
		next.Height, next.blockHash = 0, nil
		switch {
		case seen.block != nil:
			next.Fate, next.Height, next.blockHash = FateConfirmed, seen.height, seen.block
			if s.Fate == FateSettled || seen.confirmations >= d.policy().ConfirmationsToSettle {
				next.Fate = FateSettled
			}
		case seen.confirmations <= -undoneDepth || one.outlived(s):
			next.Fate = FateDead
		case seen.confirmations >= 0 && n == len(one.Sponsors)-1 && !p.frozen && (one.State == Broadcast || one.State == Confirmed || one.State == Settled):
			if next.Fate, next.Refusal, err = d.resend(ctx, s); err != nil {
				return err
			}
		case s.Fate == FateConfirmed || s.Fate == FateSettled:
			next.Fate = FateBroadcast
		}
		if err := d.storeSponsored(ctx, one, s, next); err != nil {
			return err
		}
	}

	return nil
}

// outlived reports whether a block has what leaves a child no coin: a transaction of
// the family that is not its parent, or another child of that one. The wallet may
// not say so, as it only knows children that the node has taken.
func (p Payout) outlived(s Attempt) bool {
	return slices.ContainsFunc(p.Attempts, func(a Attempt) bool {
		return a.Fate == FateConfirmed && a.TxID != *s.Replaces
	}) || slices.ContainsFunc(p.Sponsors, func(o Attempt) bool {
		return o.id != s.id && o.Height > 0 && *o.Replaces == *s.Replaces
	})
}

// resend gives a child to the node once more.
func (d *Desk) resend(ctx context.Context, s Attempt) (Fate, string, error) {
	err := d.offer(ctx, s)
	switch sendOutcome(err) {
	case sent:
		return FateBroadcast, "", nil
	case noAnswer:
		return "", "", err
	}
	text, _ := Sentence(err)

	return FateSigned, text, nil
}

// storeSponsored writes what has become of a child, and books or unbooks its fee.
func (d *Desk) storeSponsored(ctx context.Context, one Payout, was, is Attempt) error {
	if was.Fate == is.Fate && was.Refusal == is.Refusal && was.Height == is.Height {
		return nil
	}

	var block []byte
	if is.blockHash != nil {
		block = is.blockHash[:]
	}
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE sponsor SET state = ?, last_err = ?, height = NULLIF(?, 0), blockhash = ? WHERE id = ? AND state = ?`,
			is.Fate, is.Refusal, is.Height, block, is.id, was.Fate)
		switch {
		case err != nil:
			return err
		case is.Fate == FateSettled && was.Fate != FateSettled:
			return d.bookFee(ctx, tx, one, is)
		case is.Fate != FateSettled && was.Fate == FateSettled:
			return d.unbookFee(ctx, tx, one, is)
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("record child: %w", err)
	}

	return nil
}

// loadSponsors reads the children of a payout, oldest first.
func loadSponsors(ctx context.Context, q sqlite.Querier, payout int64) ([]Attempt, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT s.id, s.state, s.raw, s.txid, s.fee, s.change, s.vsize, t.txid, COALESCE(s.height, 0), s.blockhash, s.last_err
		FROM sponsor s JOIN payout_tx t ON t.id = s.parent
		WHERE t.payout = ?
		ORDER BY s.id`, payout)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(r *sql.Rows) (Attempt, error) {
		s := Attempt{Kind: KindSponsor}
		var txid *chainhash.Hash
		err := r.Scan(&s.id, &s.Fate, &s.raw, hashColumn{&txid}, &s.Fee, &s.Change, &s.VSize, hashColumn{&s.Replaces},
			&s.Height, hashColumn{&s.blockHash}, &s.Refusal)
		if err != nil {
			return Attempt{}, err
		}
		s.TxID = *txid

		return s, nil
	})
}
