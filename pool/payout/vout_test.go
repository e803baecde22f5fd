package payout

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
)

// checkOutputs compares the outputs that are named with the transaction itself.
func (b *box) checkOutputs(p Payout, paid []PaidItem) {
	b.t.Helper()
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(p.Raw)); err != nil {
		b.t.Fatal(err)
	}
	for _, i := range p.Items {
		if n, ok := p.Vout(i); !ok || !bytes.Equal(tx.TxOut[n].PkScript, i.Script) || tx.TxOut[n].Value != i.Net() {
			b.t.Errorf("output %d, %v: want the one that pays %s", n, ok, i.Address)
		}
	}
	if err := b.desk.Locate(b.t.Context(), addressOf(b.t, script(3)), paid); err != nil {
		b.t.Fatal(err)
	}
	if paid[0].Vout == nil || !bytes.Equal(tx.TxOut[*paid[0].Vout].PkScript, script(3)) {
		b.t.Errorf("Locate names output %v", paid[0].Vout)
	}
}

// Before there is a transaction there is no output; before it is signed the plan
// has it already.
func TestVoutBeforeSigning(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	if _, ok := b.get(p.ID).Vout(b.get(p.ID).Items[0]); ok {
		t.Error("a draft has an output")
	}
	b.advance()
	p = b.want(p.ID, Pending, "")
	packet, err := decodePSBT(p.PSBT)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range p.Items {
		if n, ok := p.Vout(i); !ok || !bytes.Equal(packet.UnsignedTx.TxOut[n].PkScript, i.Script) {
			t.Errorf("output %d, %v: want the one that pays %s", n, ok, i.Address)
		}
	}
}
