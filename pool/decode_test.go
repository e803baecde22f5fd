package pool

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// A coinbase is told as its bytes say it, from the whole block and from the part
// that is kept of an old one.
func TestDecodeCoinbase(t *testing.T) {
	const miner = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	_, script, err := ParseAddress(miner, "practice")
	if err != nil {
		t.Fatal(err)
	}
	const poolAddress = "tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl"
	_, poolScript, err := ParseAddress(poolAddress, "practice")
	if err != nil {
		t.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, append([]byte{3, 0x40, 0xd1, 0x0c}, "\x00ab\x01/Hill & Valley/\xff"...), nil))
	tx.AddTxOut(wire.NewTxOut(60, poolScript))
	tx.AddTxOut(wire.NewTxOut(40, script))
	tx.AddTxOut(wire.NewTxOut(0, append(bytes.Clone(witnessCommitment), make([]byte, 32)...)))
	tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	var kept, raw bytes.Buffer
	if err := tx.SerializeNoWitness(&kept); err != nil {
		t.Fatal(err)
	}
	if err := (&wire.MsgBlock{Transactions: []*wire.MsgTx{tx}}).Serialize(&raw); err != nil {
		t.Fatal(err)
	}

	direct := Coinbase{Text: "/Hill & Valley/", Outputs: []Output{
		{60, poolAddress, OfPool}, {40, miner, OfMiner}, {0, "", OfCommitment}, {1, "", OfOther},
	}}
	toWallet := Coinbase{Text: direct.Text, Outputs: []Output{
		{60, poolAddress, OfPool}, {40, miner, OfPool}, {0, "", OfCommitment}, {1, "", OfPool},
	}}
	split := []ledger.SplitRow{{Address: miner}}
	for name, tc := range map[string]struct {
		block ledger.Block
		want  Coinbase
	}{
		"whole block":       {ledger.Block{Found: ledger.Found{Raw: raw.Bytes(), PoolScript: poolScript}, Split: split}, direct},
		"kept coinbase":     {ledger.Block{Found: ledger.Found{PoolScript: poolScript}, Split: split, Proof: &ledger.Proof{Coinbase: kept.Bytes()}}, direct},
		"ledger settlement": {ledger.Block{Found: ledger.Found{Raw: raw.Bytes()}, Split: split}, toWallet},
	} {
		got, err := DecodeCoinbase(tc.block, "practice")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := DecodeCoinbase(ledger.Block{Found: ledger.Found{Raw: raw.Bytes()[:90]}}, "practice"); err == nil {
		t.Error("half a block has a coinbase")
	}
}
