package payout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// sign has the wallet sign an approved plan and stores the transaction. Only the
// commit at the end allows the bytes to leave this process. Signing is
// deterministic, so a crash before the commit costs nothing: the next pass signs
// again and gets the same transaction.
func (d *Desk) sign(ctx context.Context, one Payout) (bool, error) {
	plan, err := one.approved()
	if err != nil {
		return false, err
	}
	if err := d.checkApproved(ctx, one, plan); err != nil {
		return false, err
	}
	if err := d.checkInputs(ctx, plan); err != nil {
		return false, err
	}

	raw, err := d.signature(ctx, one.PSBT)
	if err != nil {
		return false, err
	}
	tx, err := plan.checkSigned(raw)
	if err != nil {
		return false, problemf("The signed transaction is refused: %v.", err)
	}
	if err := d.storeSigned(ctx, one, Signed, tx, raw); err != nil {
		return false, err
	}

	d.log.Info("Payout signed", "payout", one.ID, "sats", one.Total, "txid", plan.TxID)
	one.State = Signed
	d.changed(one)

	return true, nil
}

// checkInputs makes sure that the coins are still in the chain: after the
// signature there is no way back, and a reorganisation may have taken them away
// since the plan was made.
func (d *Desk) checkInputs(ctx context.Context, plan Plan) error {
	for _, in := range plan.Inputs {
		tx, err := d.wallet.WalletTx(ctx, in.OutPoint.Hash)
		if err != nil && !node.IsCode(err, node.ErrCodeNotFound) {
			return err
		}
		if err != nil || tx.Confirmations < 1 {
			return problemf("The coin %v is no longer in the chain. Cancel the payout unless it returns.", in.OutPoint)
		}
	}

	return nil
}

// signature opens the wallet for the moment of signing, and closes it again
// whatever happens.
func (d *Desk) signature(ctx context.Context, psbt string) ([]byte, error) {
	if d.Cold() {
		return nil, errNoKeys
	}
	pass, err := d.pass.Passphrase(ctx)
	if errors.Is(err, ErrLocked) {
		return nil, problemError("The wallet is locked: its passphrase has to be entered once after a restart.")
	}
	if err != nil {
		return nil, fmt.Errorf("get wallet passphrase: %w", err)
	}

	err = d.wallet.Unlock(ctx, pass, unlockFor)
	switch {
	case node.IsCode(err, node.ErrCodeWrongPassphrase):
		return nil, problemError("The wallet does not accept the passphrase that was entered.")
	case node.IsCode(err, node.ErrCodeWrongEncryption):
		// Not encrypted: there is nothing to open or to close.
	case err != nil:
		// The answer may have been lost on the way, and the wallet be open.
		d.lockWallet(ctx)
		return nil, err
	default:
		defer d.lockWallet(ctx)
	}

	signed, complete, err := d.wallet.ProcessPSBT(ctx, psbt)
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, problemError("The wallet does not have all the keys for this payout.")
	}
	raw, complete, err := d.wallet.FinalizePSBT(ctx, signed)
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, problemError("The signatures of this payout are not complete.")
	}

	return raw, nil
}

// signNext has an attempt signed that is to replace another one. It has the coins
// of that one, and all that could be asked of those was asked then.
func (d *Desk) signNext(ctx context.Context, one Payout, a Attempt) error {
	next, err := d.through(ctx, one, a)
	if err != nil {
		return err
	}
	plan, err := next.approved()
	if err != nil {
		return err
	}
	raw, err := d.signature(ctx, next.PSBT)
	if err != nil {
		return err
	}
	tx, err := plan.checkSigned(raw)
	if err != nil {
		return problemf("The signed transaction is refused: %v.", err)
	}
	next.State = one.State
	if err := d.storeSigned(ctx, next, one.State, tx, raw); err != nil {
		return err
	}

	d.log.Info("Payout signed again", "payout", one.ID, "kind", a.Kind, "txid", a.TxID)

	return nil
}

// TryPassphrase opens the wallet with a passphrase and closes it again. It waits
// for its turn: a signature that is being made at the moment would otherwise find
// the wallet closed, or close it under this call. ErrCodeWrongPassphrase of
// package node when it is the wrong one.
func (d *Desk) TryPassphrase(ctx context.Context, passphrase string) error {
	return d.exclusive(ctx, func() error {
		err := d.wallet.Unlock(ctx, passphrase, unlockFor)
		if _, answered := node.Code(err); err == nil || !answered {
			d.lockWallet(ctx) // without an answer it may be open
		}

		return err
	})
}

// lockWallet closes the wallet. Should the node not hear it, the wallet closes
// by itself after unlockFor.
func (d *Desk) lockWallet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()

	var err error
	for range 3 {
		if err = d.wallet.Lock(ctx); err == nil {
			return
		}
	}
	d.log.Warn("Wallet was not locked", "err", err)
}

// vsize is the size of a signed transaction in vbytes (BIP 141).
func vsize(tx *wire.MsgTx) int {
	weight := 3*tx.SerializeSizeStripped() + tx.SerializeSize()

	return (weight + 3) / 4
}

// storeSigned stores the signed transaction of a payout. After its commit the
// same bytes are sent until they confirm. The deeds are what has brought it here.
func (d *Desk) storeSigned(ctx context.Context, one Payout, to State, tx *wire.MsgTx, raw []byte, deeds ...Deed) error {
	txid, wtxid := tx.TxHash(), tx.WitnessHash()

	err := d.ledger.Update(ctx, func(t *ledger.Tx) error {
		_, err := t.ExecContext(ctx, `
			UPDATE payout_tx SET raw = ?, txid = ?, wtxid = ?, vsize = ?, state = 'signed'
			WHERE id = ? AND raw IS NULL`,
			raw, txid[:], wtxid[:], vsize(tx), one.attempt)
		if err != nil {
			return err
		}

		if err := move(ctx, t.Tx, one, to, d.now()); err != nil {
			return err
		}

		return d.record(ctx, t, deeds...)
	})
	if err != nil {
		return fmt.Errorf("store signed transaction: %w", err)
	}

	return nil
}
