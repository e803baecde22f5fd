package payout

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

// coldBox is a box whose wallet has no keys, with an approved payout.
func coldBox(t *testing.T) (*box, Payout) {
	t.Helper()
	b := newBox(t, fullLedger(t))
	b.wallet.cold = true
	p := b.draft()
	b.advance()
	p = b.want(p.ID, Pending, "")
	if _, err := b.desk.Export(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); !errors.Is(err, ErrStale) {
		t.Errorf("export before the approval: %v, want ErrStale", err)
	}
	b.approve(p)
	b.advance()
	p = b.want(p.ID, Approved, "kept elsewhere")
	if !p.Can.Export || p.Can.Import || !p.Can.Cancel || p.Can.CancelSent {
		t.Errorf("approved: Can = %+v", p.Can)
	}

	return b, p
}

// export hands out what waits for its signature.
func (b *box) export(id int64) (string, Payout) {
	b.t.Helper()
	text, err := b.desk.Export(b.t.Context(), Change{ID: id, Rev: b.get(id).Rev, Actor: "ann"})
	if err != nil {
		b.t.Fatal(err)
	}

	return text, b.get(id)
}

// signElsewhere signs a PSBT with the keys that the box's wallet does not have.
func (b *box) signElsewhere(text string) string {
	b.t.Helper()
	packet, err := decodePSBT(text)
	if err != nil {
		b.t.Fatal(err)
	}
	signPacket(packet, b.wallet.keys)
	signed, err := packet.B64Encode()
	if err != nil {
		b.t.Fatal(err)
	}

	return signed
}

func TestColdSigning(t *testing.T) {
	b, p := coldBox(t)
	text, p := b.export(p.ID)
	if !p.Can.Import || p.Can.Cancel || !p.Can.CancelSent || p.State != Approved {
		t.Errorf("exported: %s, Can = %+v", p.State, p.Can)
	}
	if again, after := b.export(p.ID); again != text || after.Rev != p.Rev {
		t.Error("a second export is another one")
	}
	if err := b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); !errors.Is(err, ErrExported) {
		t.Errorf("cancel what may be signed: %v, want ErrExported", err)
	}
	if err := b.tryExec(`UPDATE payout SET state = 'cancelled' WHERE id = ?`, p.ID); err == nil {
		t.Error("the schema lets go of what may be signed")
	}
	b.now = b.now.Add(100 * 24 * time.Hour)
	b.advance()
	b.want(p.ID, Approved, "kept elsewhere") // it does not expire

	b.reopen()
	p = b.get(p.ID)
	if err := b.desk.Import(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, "\n"+b.signElsewhere(text)+" \n"); err != nil {
		t.Fatal(err)
	}
	b.want(p.ID, Signed, "")
	if b.wallet.sent != 0 {
		t.Error("an import alone sends")
	}
	b.advance()
	b.want(p.ID, Broadcast, "")
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
	for _, method := range b.wallet.log {
		if method == "walletpassphrase" || method == "walletprocesspsbt" {
			t.Errorf("a wallet without keys was asked for %s", method)
		}
	}
}

// TestFault21ImportOfAnother: only the signatures of the exported transaction are
// taken, whatever else the file says.
func TestFault21ImportOfAnother(t *testing.T) {
	b, p := coldBox(t)
	text, p := b.export(p.ID)
	change := func(f func(packet *psbt.Packet)) string {
		packet, err := decodePSBT(text)
		if err != nil {
			t.Fatal(err)
		}
		f(packet)
		changed, err := packet.B64Encode()
		if err != nil {
			t.Fatal(err)
		}

		return changed
	}

	files := map[string]struct{ file, refusal string }{
		"not a file":         {"hello", "read psbt"},
		"nothing":            {"", "read psbt"},
		"not signed":         {text, "signatures are missing"},
		"another amount":     {b.signElsewhere(change(func(k *psbt.Packet) { k.UnsignedTx.TxOut[0].Value-- })), "exported was"},
		"another recipient":  {b.signElsewhere(change(func(k *psbt.Packet) { k.UnsignedTx.TxOut[0].PkScript = script(666) })), "exported was"},
		"one input more":     {b.signElsewhere(change(addInput)), "exported was"},
		"half of the inputs": {withoutFirst(t, b.signElsewhere(text)), "signatures are missing"},
		"another's key":      {b.wrongKey(change), "refused"},
		"open to changes":    {b.openSignature(change), "does not cover the whole transaction"},
	}
	for name, tt := range files {
		err := b.desk.Import(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, tt.file)
		if sentence, ok := Sentence(err); !ok || !strings.Contains(sentence, tt.refusal) {
			t.Errorf("%s: %v, want a sentence with %q", name, err, tt.refusal)
		}
		if got := b.get(p.ID); got.State != Approved || got.Raw != nil {
			t.Fatalf("%s: the payout is %s", name, got.State)
		}
	}
	if err := b.desk.Import(t.Context(), Change{ID: p.ID, Rev: p.Rev - 1, Actor: "ann"}, b.signElsewhere(text)); !errors.Is(err, ErrStale) {
		t.Errorf("import at an old revision: %v, want ErrStale", err)
	}

	// What a file says about its coins is not believed, and does no harm.
	lie := b.signElsewhere(text)
	packet, err := decodePSBT(lie)
	if err != nil {
		t.Fatal(err)
	}
	packet.Inputs[0].WitnessUtxo = wire.NewTxOut(1, script(666))
	if lie, err = packet.B64Encode(); err != nil {
		t.Fatal(err)
	}
	if err := b.desk.Import(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, lie); err != nil {
		t.Error(err)
	}
	b.want(p.ID, Signed, "")
}

func addInput(k *psbt.Packet) {
	k.UnsignedTx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 7}, nil, nil))
	k.Inputs = append(k.Inputs, psbt.PInput{WitnessUtxo: wire.NewTxOut(1, script(7))})
}

func withoutFirst(t *testing.T, text string) string {
	t.Helper()
	packet, err := decodePSBT(text)
	if err != nil {
		t.Fatal(err)
	}
	packet.Inputs[0].PartialSigs = nil
	if text, err = packet.B64Encode(); err != nil {
		t.Fatal(err)
	}

	return text
}

// wrongKey is the exported file with the signature of one input on another.
func (b *box) wrongKey(change func(func(*psbt.Packet)) string) string {
	return change(func(k *psbt.Packet) {
		signPacket(k, b.wallet.keys)
		k.Inputs[0].PartialSigs[0].Signature = k.Inputs[1].PartialSigs[0].Signature
	})
}

// openSignature is the exported file with good signatures that cover no output.
func (b *box) openSignature(change func(func(*psbt.Packet)) string) string {
	return change(func(k *psbt.Packet) {
		signPacket(k, b.wallet.keys)
		coins := map[wire.OutPoint]*wire.TxOut{}
		for n, in := range k.UnsignedTx.TxIn {
			coins[in.PreviousOutPoint] = k.Inputs[n].WitnessUtxo
		}
		hashes := txscript.NewTxSigHashes(k.UnsignedTx, txscript.NewMultiPrevOutFetcher(coins))
		coin := k.Inputs[0].WitnessUtxo
		sig, err := txscript.RawTxInWitnessSignature(k.UnsignedTx, hashes, 0, coin.Value, coin.PkScript,
			txscript.SigHashNone, b.wallet.keys[string(coin.PkScript)])
		if err != nil {
			b.t.Fatal(err)
		}
		key := k.Inputs[0].PartialSigs[0].PubKey
		witness := append([]byte{2, byte(len(sig))}, sig...)
		k.Inputs[0].FinalScriptWitness = append(append(witness, byte(len(key))), key...)
	})
}

// sendElsewhere has the network take a signed file without the box.
func (b *box) sendElsewhere(signed string) {
	b.t.Helper()
	packet, err := decodePSBT(signed)
	b.must(err)
	raw, err := extract(packet)
	b.must(err)
	tx := new(wire.MsgTx)
	b.must(tx.Deserialize(bytes.NewReader(raw)))
	b.wallet.txs[tx.TxHash()] = &fakeTx{tx: tx, mempool: true}
}

// TestExportedAndSignedOpenly: a signature that lets others change the outputs is not
// taken while they can. Once a block has what was approved, they cannot.
func TestExportedAndSignedOpenly(t *testing.T) {
	b, p := coldBox(t)
	text, p := b.export(p.ID)
	b.sendElsewhere(b.openSignature(func(f func(*psbt.Packet)) string {
		packet, err := decodePSBT(text)
		b.must(err)
		f(packet)
		signed, err := packet.B64Encode()
		b.must(err)

		return signed
	}))

	b.advance()
	b.want(p.ID, Approved, "does not cover the whole transaction")
	b.wallet.mine(1, 0)
	b.advance()
	b.want(p.ID, Confirmed, "")
	b.wallet.mine(2, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

// TestExportedAndSentElsewhere: the program that signs also sends. That is our
// payout, and no theft.
func TestExportedAndSentElsewhere(t *testing.T) {
	b, p := coldBox(t)
	text, p := b.export(p.ID)
	b.sendElsewhere(b.signElsewhere(text))

	b.advance()
	if reason, frozen := b.desk.Frozen(t.Context()); frozen {
		t.Errorf("frozen: %s", reason)
	}
	b.want(p.ID, Broadcast, "")
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

// TestCancelExported: what may be signed is cancelled like what was sent, and the
// cancelling transaction is signed where the keys are.
func TestCancelExported(t *testing.T) {
	b, p := coldBox(t)
	_, p = b.export(p.ID)
	if err := b.desk.CancelSent(t.Context(), Change{ID: p.ID, Rev: p.Rev, FeeRate: "10", Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	b.advance()
	p = b.want(p.ID, Cancelling, "kept elsewhere")
	if !p.Can.Export || p.Can.Import || p.Can.Cancel {
		t.Errorf("cancelling: Can = %+v", p.Can)
	}
	text, p := b.export(p.ID)
	if err := b.desk.Import(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, b.signElsewhere(text)); err != nil {
		t.Fatal(err)
	}
	b.advance()
	b.want(p.ID, Cancelling, "")
	b.wallet.mine(undoneDepth, 0)
	b.advance()
	b.want(p.ID, Cancelled, "")
	sums, err := b.ledger.Sums(t.Context())
	if err != nil || sums.Payable != earned(1)+earned(2)+earned(3) || sums.Reserved != 0 || b.wallet.sent != 1 {
		t.Errorf("books %+v, %v after %d transactions", sums, err, b.wallet.sent)
	}
	b.checkBooks()
}

// TestExportIsForColdWallets: a wallet that signs by itself hands nothing out.
func TestExportIsForColdWallets(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.pass.err = ErrLocked
	b.reopen()
	p := b.draft()
	b.advance()
	b.approve(b.get(p.ID))
	b.advance()
	p = b.want(p.ID, Approved, "locked")
	if _, err := b.desk.Export(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); err == nil || p.Can.Export {
		t.Errorf("Export = %v, Can %+v", err, p.Can)
	}
}

// TestBitcoindColdSigning: one wallet of the node knows the coins, another one has
// the keys, and between them goes a file.
func TestBitcoindColdSigning(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()

	// The wallet of the box becomes the one elsewhere; a new one watches it.
	signer := r.node.Client
	var keys struct {
		Descriptors []struct {
			Desc     string `json:"desc"`
			Active   bool   `json:"active"`
			Internal bool   `json:"internal"`
			Range    []int  `json:"range"`
			Next     int    `json:"next"`
		} `json:"descriptors"`
	}
	if err := signer.WalletCall(ctx, "listdescriptors", &keys); err != nil {
		t.Fatal(err)
	}
	r.node.Client = signer.ForWallet("watch")
	err := r.node.Call(ctx, "createwallet", nil, node.Named{"wallet_name": "watch", "disable_private_keys": true, "blank": true})
	if err != nil {
		t.Fatal(err)
	}
	var requests []node.Named
	for _, k := range keys.Descriptors {
		requests = append(requests, node.Named{
			"desc": k.Desc, "active": k.Active, "internal": k.Internal, "range": k.Range, "next_index": k.Next, "timestamp": 0,
		})
	}
	if err := r.node.WalletCall(ctx, "importdescriptors", nil, requests); err != nil {
		t.Fatal(err)
	}
	r.sitDown()
	r.agree("watched", 0)

	p := r.draft()
	r.advance()
	r.approve(r.want(p.ID, Pending, ""))
	r.advance()
	r.want(p.ID, Approved, "kept elsewhere")
	text, p := r.export(p.ID)
	if err := r.desk.Import(ctx, Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, text); err == nil {
		t.Error("what nobody signed was imported")
	}
	if err := signer.Unlock(ctx, passphrase, unlockFor); err != nil {
		t.Fatal(err)
	}
	signed, complete, err := signer.ProcessPSBT(ctx, text)
	if err != nil || !complete {
		t.Fatalf("signed elsewhere: %v, %v", complete, err)
	}
	if err := r.desk.Import(ctx, Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}, signed); err != nil {
		t.Fatal(err)
	}
	r.advance()
	r.want(p.ID, Broadcast, "")
	r.mine(3)
	r.agree("paid", 0)
	p = r.want(p.ID, Settled, "")
	for _, i := range p.Items {
		if got := r.node.received(i.Address); got != i.Amount {
			t.Errorf("%s got %d sats, want %d", i.Address, got, i.Amount)
		}
	}
}
