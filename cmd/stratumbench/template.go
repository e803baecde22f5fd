package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/work"
)

const (
	easiestBits = 0x2100ffff // the highest target there is: with the slack of a share, every hash meets it
	branchCount = 12         // of a block with 2048 to 4095 transactions
	fullTxs     = 4400
	reward      = 3_1250_0000
)

// payoutScript is a P2WPKH script.
func payoutScript() []byte { return append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...) }

// smallTemplate returns a template on a new tip, with the branches of a full
// block but without its transactions.
func smallTemplate() *work.Template {
	target, err := work.TargetFromBits(easiestBits)
	if err != nil {
		panic(err) // a constant
	}
	at := uint32(time.Now().Unix())
	t := &work.Template{
		Height: 900_000, Version: 0x20000000, PrevHash: randomHash(), Bits: easiestBits, Target: target,
		CurTime: at, MinTime: at - 3600, CoinbaseValue: reward,
		WitnessCommitment: append([]byte("\x6a\x24\xaa\x21\xa9\xed"), make([]byte, 32)...),
	}
	for range branchCount {
		t.Branches = append(t.Branches, randomHash())
	}
	return t
}

func randomHash() (h chainhash.Hash) {
	_, _ = rand.Read(h[:]) // never fails
	return h
}

// oldTip stands in fullTemplate where onNewTip puts another block.
func oldTip() string { return fmt.Sprintf("%064x", 1) }

func onNewTip(template []byte) []byte {
	return bytes.Replace(template, []byte(oldTip()), []byte(randomHash().String()), 1)
}

// fullTemplate returns the result of a getblocktemplate with many transactions
// of the usual size: one witness input, two outputs.
func fullTemplate() ([]byte, error) {
	target, err := work.TargetFromBits(easiestBits)
	if err != nil {
		return nil, err
	}
	wtxids := []chainhash.Hash{{}} // the coinbase counts as zero
	txs := make([]map[string]any, fullTxs)
	for i := range txs {
		tx := wire.NewMsgTx(2)
		previous := randomHash()
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&previous, uint32(i)), nil, wire.TxWitness{make([]byte, 72), make([]byte, 33)}))
		tx.AddTxOut(wire.NewTxOut(50_000, payoutScript()))
		tx.AddTxOut(wire.NewTxOut(70_000, payoutScript()))
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			return nil, err
		}
		wtxids = append(wtxids, tx.WitnessHash())
		txs[i] = map[string]any{
			"data": hex.EncodeToString(raw.Bytes()), "txid": tx.TxHash(), "hash": tx.WitnessHash(), "depends": []int{},
			"fee": 300, "sigops": 1, "weight": 3*tx.SerializeSizeStripped() + tx.SerializeSize(),
		}
	}
	root := merkleRoot(wtxids)
	commitment := chainhash.DoubleHashB(append(root[:], make([]byte, 32)...))
	at := time.Now().Unix()
	return json.Marshal(map[string]any{
		"version": 0x20000000, "rules": []string{"csv", "!segwit", "taproot"}, "previousblockhash": oldTip(),
		"height": 900_000, "bits": fmt.Sprintf("%08x", easiestBits), "target": hex.EncodeToString(target[:]),
		"curtime": at, "mintime": at - 3600, "coinbasevalue": reward + 300*fullTxs, "transactions": txs,
		"default_witness_commitment": "6a24aa21a9ed" + hex.EncodeToString(commitment), "longpollid": "bench",
	})
}

// merkleRoot hashes pairs level by level; an odd one is paired with itself.
func merkleRoot(level []chainhash.Hash) chainhash.Hash {
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		next := make([]chainhash.Hash, 0, len(level)/2)
		for i := 0; i < len(level); i += 2 {
			next = append(next, chainhash.DoubleHashH(append(level[i].CloneBytes(), level[i+1][:]...)))
		}
		level = next
	}
	return level[0]
}
