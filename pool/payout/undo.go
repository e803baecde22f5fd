package payout

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// undoneDepth is how deep a cancelling transaction lies before the money of its
// payout is released. No policy lowers it: the payout could still win.
const undoneDepth = 6

// CancelSent sends the coins of a payout that was signed back to the wallet, with
// a fee that makes nodes prefer that to the payout. The next [Desk.Advance] signs
// and sends it. From then on the blocks decide: the payout is cancelled when this
// transaction is six blocks deep, and settled if it was faster. The same call
// again raises the fee.
func (d *Desk) CancelSent(ctx context.Context, c Change) error {
	return d.change(ctx, "cancel", c, func(can Can) bool { return can.CancelSent }, func(p pass, one Payout) error {
		head, ok := one.head()
		if !ok { // no cancelling one is signed yet: what it replaces is the payout
			sent := one
			sent.State = Broadcast
			if head, ok = sent.head(); !ok {
				head = one.Attempts[0] // handed out, and not come back
			}
		}
		base, err := d.through(ctx, one, head)
		if err != nil {
			return err
		}
		plan, err := base.approved()
		if err != nil {
			return err
		}
		if len(one.Sponsors) == 0 { // what its own child pays is replaced with it
			if err := d.checkDescendants(ctx, one); err != nil {
				return err
			}
		}

		script, err := d.changeScript(ctx, p)
		if err != nil {
			return err
		}
		plan, text, err := plan.undone(base.PSBT, script)
		if err != nil {
			return err
		}
		replaced := one.highestFee()
		for _, s := range one.Sponsors {
			replaced += s.Fee
		}
		fee, err := d.fee(ctx, c.FeeRate, plan.vsize(), replaced)
		if err != nil {
			return err
		}
		plan.Rev, plan.FeeCap = one.Rev+1, max(plan.FeeCap, d.policy().feeCap(one.Total))
		if fee > plan.FeeCap {
			return fmt.Errorf("%w: the network fee of %d sats, at most %d sats are allowed", ErrCap, fee, plan.FeeCap)
		}
		if plan, text, err = plan.raised(text, fee); err != nil {
			return err
		}

		return d.storeAttempt(ctx, one, Cancelling, attempt{
			kind: KindCancel, replaces: head, action: "payout.take-back", plan: plan, psbt: text, method: "cancel",
		}, c)
	})
}

// changeScript is a new script of the wallet.
func (d *Desk) changeScript(ctx context.Context, p pass) ([]byte, error) {
	address, err := d.wallet.ChangeAddress(ctx)
	if err != nil {
		return nil, err
	}
	info, err := d.wallet.AddressInfo(ctx, address)
	if err != nil {
		return nil, err
	}
	mine, err := d.isMine(ctx, info.Script, p.params)
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, problemf("The address %s that the wallet gave is not its own.", address)
	}

	return info.Script, nil
}

// undone is a plan that spends the same coins, pays nobody, and leaves all to a
// script of the wallet. Its fee is still to be [Plan.raised].
func (p Plan) undone(text string, script []byte) (Plan, string, error) {
	packet, err := decodePSBT(text)
	if err != nil {
		return Plan{}, "", err
	}
	tx := packet.UnsignedTx
	tx.TxOut = []*wire.TxOut{wire.NewTxOut(p.spent(), script)}
	packet.Outputs = []psbt.POutput{{}}

	p.Items, p.Change, p.ChangeScript, p.Fee, p.TxID = nil, p.spent(), script, 0, tx.TxHash()
	text, err = packet.B64Encode()
	if err != nil {
		return Plan{}, "", fmt.Errorf("write psbt: %w", err)
	}

	return p, text, nil
}

// vsize estimates the size in vbytes of a plan that pays nobody, once signed.
func (p Plan) vsize() int64 {
	tx := wire.NewMsgTx(2)
	for _, in := range p.Inputs {
		tx.AddTxIn(wire.NewTxIn(&in.OutPoint, nil, nil))
	}
	tx.AddTxOut(wire.NewTxOut(p.Change, p.ChangeScript))

	return (signedWeight(tx) + 3) / 4
}

// cancelConfirmed follows a cancelling transaction that is in a block, and ends
// the payout when that block is deep enough.
func (d *Desk) cancelConfirmed(ctx context.Context, one Payout, s sighting) (bool, error) {
	switch one.State {
	case Signed, Broadcast:
		return true, d.storeBlock(ctx, one, Cancelling, s)
	case Confirmed, Settled, Failed:
		return true, d.takeBack(ctx, one)
	case Cancelled:
		if s.attempt.id != one.confirmedCancel().id { // of several, another one is in the chain now
			return true, d.takeBack(ctx, one)
		}
	}
	if s.moved() {
		return true, d.storeBlock(ctx, one, one.State, s)
	}
	if one.State == Cancelled || s.confirmations < max(undoneDepth, d.policy().ConfirmationsToSettle) {
		return false, nil
	}

	return true, d.undo(ctx, one, s.attempt)
}

// undo ends a payout whose coins are back in the wallet: its money is payable
// again, and the pool has paid the fee of bringing them back. The leases stay
// until the block is so deep that nothing brings the payout back.
func (d *Desk) undo(ctx context.Context, one Payout, a Attempt) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := d.release(ctx, tx, one, Cancelled, "payout"); err != nil {
			return err
		}

		return d.bookFee(ctx, tx, one, a)
	})
	if err != nil {
		return fmt.Errorf("book cancellation: %w", err)
	}

	d.log.Info("Payout cancelled", "payout", one.ID, "sats", one.Total, "txid", a.TxID, "fee", a.Fee)
	one.State = Cancelled
	d.changed(one)

	return nil
}
