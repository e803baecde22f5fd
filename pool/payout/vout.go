package payout

import (
	"bytes"
	"context"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// Vout returns the index of the output that pays an item, false while there is
// no transaction. No two items of a payout have the same script.
func (p Payout) Vout(i Item) (uint32, bool) {
	if p.TxID == nil {
		return 0, false
	}

	return outputTo(i.Script, p.Raw, p.PSBT)
}

// Locate fills in the outputs of payments to an address.
func (d *Desk) Locate(ctx context.Context, address string, paid []PaidItem) error {
	for n := range paid {
		item := &paid[n]
		if item.TxID == nil {
			continue
		}
		var script, raw []byte
		var psbt string
		err := d.db.Reader().QueryRowContext(ctx, `
			SELECT i.script, t.raw, t.psbt
			FROM payout_tx t
			JOIN payout_item i ON i.payout = t.payout
			JOIN account a     ON a.id = i.account
			WHERE t.payout = ? AND t.expected = ? AND a.address = ?`,
			item.Payout, item.TxID[:], address).Scan(&script, &raw, &psbt)
		if err != nil {
			return fmt.Errorf("locate payment %d: %w", item.Payout, err)
		}
		if vout, ok := outputTo(script, raw, psbt); ok {
			item.Vout = &vout
		}
	}

	return nil
}

// outputTo finds the output that pays a script in a signed transaction, or in the
// one that is to be signed.
func outputTo(script, raw []byte, psbt string) (uint32, bool) {
	tx := new(wire.MsgTx)
	if len(raw) > 0 {
		if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
			return 0, false
		}
	} else {
		packet, err := decodePSBT(psbt)
		if err != nil {
			return 0, false
		}
		tx = packet.UnsignedTx
	}
	for n, out := range tx.TxOut {
		if bytes.Equal(out.PkScript, script) {
			return uint32(n), true
		}
	}

	return 0, false
}
