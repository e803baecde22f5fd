package payout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// A watch-only wallet has no private keys: it knows which coins are the pool's and
// builds the payouts, and somebody signs them on a machine that no miner reaches.
// All that differs is how the signature comes: Export hands out the transaction
// that was approved, Import takes it back. From the first Export on, a signature
// may exist, so the payout cannot simply be given up any more.

// ErrExported says that a payout was handed out to be signed elsewhere, so that
// only a transaction that takes its coins can cancel it ([Desk.CancelSent]).
var ErrExported = errors.New("the payout was handed out and may be signed already")

// errNoKeys is the problem of a payout that waits for its signature.
var errNoKeys error = problemError("The keys of this wallet are kept elsewhere. Export the transaction, sign it there, and import it here.")

// Cold reports whether the wallet has no private keys. It is known from the first
// pass on.
func (d *Desk) Cold() bool { return d.cold.Load() }

// Export returns the transaction that waits for its signature as a PSBT (BIP 174,
// base64). It must be approved, and keep the limits of this moment, as if it were
// signed here. It can be exported again. The error wraps ErrStale, ErrExpired,
// ErrFrozen or ErrNotFound, or is a refusal that [Sentence] puts into words.
func (d *Desk) Export(ctx context.Context, c Change) (text string, err error) {
	err = d.outside(ctx, c, func(one, next Payout, plan Plan) error {
		if !d.Cold() {
			return problemError("The wallet has its keys and signs by itself.")
		}
		text = next.PSBT
		if next.exported() {
			return nil
		}
		if one.State == Approved {
			if d.expired(one) {
				return ErrExpired
			}
			if err := d.checkApproved(ctx, one, plan); err != nil {
				return err
			}
			if err := d.checkInputs(ctx, plan); err != nil {
				return err
			}
		}

		return d.storeExport(ctx, one, next, c)
	})
	if err != nil {
		return "", fmt.Errorf("export payout %d: %w", c.ID, err)
	}

	return text, nil
}

// Exported returns what was handed out and has not come back, once more. It changes
// nothing. The error wraps ErrStale, ErrFrozen or ErrNotFound.
func (d *Desk) Exported(ctx context.Context, id, rev int64) (string, error) {
	one, err := d.Get(ctx, id)
	if err != nil {
		return "", err
	}
	if err := d.checkFrozen(ctx); err != nil {
		return "", err
	}
	a, ok := one.unsigned()
	if !ok || one.Rev != rev || !a.Exported() {
		return "", fmt.Errorf("export payout %d again: %w", id, ErrStale)
	}
	next, err := d.through(ctx, one, a)

	return next.PSBT, err
}

// Import takes the signatures out of a PSBT and puts them into the transaction
// that was exported; nothing else of the file counts. It is refused when it is
// another transaction, or when a signature is missing or does not fit. The next
// [Desk.Advance] sends the payout. The errors are those of Export.
func (d *Desk) Import(ctx context.Context, c Change, text string) error {
	err := d.outside(ctx, c, func(one, next Payout, plan Plan) error {
		if !next.exported() {
			return ErrStale
		}
		merged, err := mergeSignatures(next.PSBT, text)
		if err != nil {
			return problemf("The imported file is refused: %v.", err)
		}
		raw, complete, err := d.wallet.FinalizePSBT(ctx, merged)
		if err != nil {
			return err
		}
		if !complete {
			return problemError("The imported file is refused: signatures are missing.")
		}

		tx, err := plan.checkSigned(raw)
		if err != nil {
			return problemf("The signed transaction is refused: %v.", err)
		}

		return d.storeForeign(ctx, one, next, tx, raw, c.deed("payout.import", map[string]string{"txid": next.TxID.String()}))
	})
	if err != nil {
		return fmt.Errorf("import payout %d: %w", c.ID, err)
	}

	return nil
}

// outside runs do, as the only pass, on a payout as it was on the screen, on the
// same payout as the transaction that waits for its signature would have it, and
// on the plan that was approved.
func (d *Desk) outside(ctx context.Context, c Change, do func(one, next Payout, plan Plan) error) error {
	if c.Actor == "" {
		return errors.New("the actor is missing")
	}

	return d.exclusive(ctx, func() error {
		if _, err := d.survey(ctx); err != nil {
			return err
		}
		if err := d.checkFrozen(ctx); err != nil {
			return err
		}
		one, err := d.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		a, ok := one.unsigned()
		if one.Rev != c.Rev || !ok {
			return ErrStale
		}
		next, err := d.through(ctx, one, a)
		if err != nil {
			return err
		}
		plan, err := next.approved()
		if err != nil {
			return err
		}

		return do(one, next, plan)
	})
}

// unsigned is the attempt that only waits for its signature.
func (p Payout) unsigned() (Attempt, bool) {
	if a, ok := p.next(); ok {
		return a, a.approved
	}
	if p.State == Approved && len(p.Attempts) > 0 {
		return p.Attempts[0], true
	}

	return Attempt{}, false
}

// exported reports whether the transaction that p stands for was handed out and
// has not come back.
func (p Payout) exported() bool {
	return slices.ContainsFunc(p.Attempts, func(a Attempt) bool {
		return a.id == p.attempt && a.Exported() && !a.Signed()
	})
}

// storeExport notes that a transaction is handed out. The payout has a new
// revision then: a click on Cancel that did not know of it comes too late.
func (d *Desk) storeExport(ctx context.Context, one, next Payout, c Change) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE payout_tx SET exported_at = ? WHERE id = ?`, d.now().UnixMilli(), next.attempt)
		if err != nil {
			return err
		}

		if err := move(ctx, tx.Tx, one, one.State, d.now()); err != nil {
			return err
		}

		return d.record(ctx, tx, c.deed("payout.export", map[string]string{"txid": next.TxID.String()}))
	})
	if err != nil {
		return fmt.Errorf("store export: %w", err)
	}

	d.log.Info("Payout exported", "payout", one.ID, "sats", one.Total, "txid", next.TxID, "user", c.Actor)
	d.changed(one)

	return nil
}

// storeForeign stores the approved transaction as it was signed elsewhere.
func (d *Desk) storeForeign(ctx context.Context, one, next Payout, tx *wire.MsgTx, raw []byte, deeds ...Deed) error {
	to := one.State
	if to == Approved {
		to = Signed
	}
	next.State, next.Rev = one.State, one.Rev
	if err := d.storeSigned(ctx, next, to, tx, raw, deeds...); err != nil {
		return err
	}

	d.log.Info("Payout signed elsewhere", "payout", one.ID, "sats", one.Total, "txid", next.TxID)
	one.State = to
	d.changed(one)

	return nil
}

// adopt looks whether a transaction that was handed out has been sent from
// elsewhere, as wallet programs do with what they have signed: then the wallet has
// it, and it is stored as if it had been imported. Once it is in a block, how it was
// signed does not matter any more: its id says that it pays what was approved.
func (d *Desk) adopt(ctx context.Context, one Payout) (bool, error) {
	for _, a := range one.Attempts {
		if a.Signed() || !a.Exported() {
			continue
		}
		tx, err := d.wallet.WalletTx(ctx, a.TxID)
		if node.IsCode(err, node.ErrCodeNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		next, err := d.through(ctx, one, a)
		if err != nil {
			return false, err
		}
		plan, err := next.approved()
		if err != nil {
			return false, err
		}

		check := plan.checkSigned
		if tx.Confirmations > 0 {
			check = plan.checkPaid
		}
		signed, err := check(tx.Raw)
		if err != nil {
			return false, problemf("The transaction was sent from elsewhere, and is refused unless a block has it: %v.", err)
		}

		return true, d.storeForeign(ctx, one, next, signed, tx.Raw)
	}

	return false, nil
}

// mergeSignatures returns our PSBT with the signatures of another one of the same
// transaction.
func mergeSignatures(ours, theirs string) (string, error) {
	packet, err := decodePSBT(ours)
	if err != nil {
		return "", err
	}
	signed, err := decodePSBT(strings.Join(strings.Fields(theirs), ""))
	if err != nil {
		return "", err
	}
	if want, got := packet.UnsignedTx.TxHash(), signed.UnsignedTx.TxHash(); got != want {
		return "", fmt.Errorf("it is transaction %v, exported was %v", got, want)
	}

	for n := range packet.Inputs {
		in, from := &packet.Inputs[n], &signed.Inputs[n]
		in.PartialSigs, in.FinalScriptSig, in.FinalScriptWitness = from.PartialSigs, from.FinalScriptSig, from.FinalScriptWitness
		in.TaprootKeySpendSig, in.TaprootScriptSpendSig = from.TaprootKeySpendSig, from.TaprootScriptSpendSig
	}
	text, err := packet.B64Encode()
	if err != nil {
		return "", fmt.Errorf("write psbt: %w", err)
	}

	return text, nil
}

// coversAll refuses a signature after which others could change the transaction:
// every one has to cover all inputs and all outputs (BIP 143, BIP 341).
func coversAll(witness wire.TxWitness, taproot bool) error {
	const all = 0x01
	for n, item := range witness {
		length := len(item)
		der := !taproot && length > 8 && length <= 73 && item[0] == 0x30 && int(item[1])+3 == length
		schnorr := taproot && n == 0 && length == 65
		if (der || schnorr) && item[length-1] != all {
			return fmt.Errorf("a signature of kind %#x does not cover the whole transaction", item[length-1])
		}
	}

	return nil
}
