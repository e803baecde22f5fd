package work

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// rawTemplate is a getblocktemplate result that a test can spoil before it is
// parsed.
type rawTemplate map[string]any

// newRawTemplate returns what a node on the practice network answers, with
// count transactions, every second of them with a witness.
func newRawTemplate(tb testing.TB, count int) rawTemplate {
	tb.Helper()
	return rawTemplateOf(tb, count, newTx)
}

// fullRawTemplate returns what a node answers for a full block: 4400
// transactions that spend one to three coins with a signature each, 370 bytes on
// average.
func fullRawTemplate(tb testing.TB) rawTemplate {
	tb.Helper()
	return rawTemplateOf(tb, 4400, func(i int) *wire.MsgTx {
		msg := newTx(2 * i)
		for range i % 3 {
			msg.AddTxIn(msg.TxIn[0])
		}
		msg.AddTxOut(msg.TxOut[0])
		return msg
	})
}

func rawTemplateOf(tb testing.TB, count int, newTx func(int) *wire.MsgTx) rawTemplate {
	tb.Helper()
	txs := make([]any, count)
	leaves := make([]chainhash.Hash, 1, 1+count)
	for i := range txs {
		msg := newTx(i)
		txs[i] = map[string]any{
			"data":    hexTx(tb, msg),
			"txid":    msg.TxHash().String(),
			"hash":    msg.WitnessHash().String(),
			"fee":     1000 + i,
			"depends": []int{},
			"sigops":  1,
			"weight":  3*msg.SerializeSizeStripped() + msg.SerializeSize(),
		}
		leaves = append(leaves, msg.WitnessHash())
	}
	root := treeRoot(leaves)
	commitment := chainhash.DoubleHashB(append(root[:], make([]byte, 32)...))

	return rawTemplate{
		"capabilities":               []string{"proposal"},
		"version":                    0x30000004, // one bit inside the rolling mask
		"rules":                      []string{"csv", "!segwit", "!signet", "taproot"},
		"previousblockhash":          "00000000002bfbde338ade6514af8b63bb564065051038ba745ea34087f914a7",
		"transactions":               txs,
		"coinbasevalue":              5_000_000_000,
		"longpollid":                 "00000000002bfbde338ade6514af8b63bb564065051038ba745ea34087f914a71",
		"target":                     "00000377ae000000000000000000000000000000000000000000000000000000",
		"mintime":                    1_752_646_830,
		"curtime":                    1_752_741_378,
		"bits":                       "1e0377ae",
		"height":                     316,
		"signet_challenge":           "51",
		"default_witness_commitment": "6a24aa21a9ed" + hex.EncodeToString(commitment),
	}
}

// newTx returns the n-th of a series of different transactions.
func newTx(n int) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	var prev wire.OutPoint
	binary.LittleEndian.PutUint64(prev.Hash[:], uint64(n)+1)
	in := wire.NewTxIn(&prev, []byte{0x51}, nil)
	if n%2 == 0 {
		in = wire.NewTxIn(&prev, nil, [][]byte{bytes.Repeat([]byte{byte(n)}, 71), make([]byte, 33)})
	}
	msg.AddTxIn(in)
	msg.AddTxOut(wire.NewTxOut(int64(n)+600, append([]byte{0, 20}, make([]byte, 20)...)))
	return msg
}

func hexTx(tb testing.TB, msg *wire.MsgTx) string {
	tb.Helper()
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		tb.Fatal(err)
	}
	return hex.EncodeToString(b.Bytes())
}

// tx returns the n-th transaction for spoiling.
func (r rawTemplate) tx(n int) map[string]any {
	return r["transactions"].([]any)[n].(map[string]any)
}

func (r rawTemplate) encode(tb testing.TB) []byte {
	tb.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func (r rawTemplate) parse(tb testing.TB) *Template {
	tb.Helper()
	template, err := ParseTemplate(r.encode(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

// newLayout returns a layout with two outputs that fits any template with a
// value of at least 1 satoshi.
func newLayout(value int64) Layout {
	return Layout{
		Tag: "/DMPool/",
		Outputs: []Output{
			{Script: append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...), Value: value - value/3},
			{Script: append([]byte{0x51, 32}, bytes.Repeat([]byte{9}, 32)...), Value: value / 3},
		},
	}
}

// newJob returns job 0x6878b602 of a template with count transactions.
func newJob(tb testing.TB, count int) (*Job, *Template, Layout) {
	tb.Helper()
	template := newRawTemplate(tb, count).parse(tb)
	layout := newLayout(template.CoinbaseValue)
	j, err := NewJob(template, layout, 0x6878b602, template.CurTime)
	if err != nil {
		tb.Fatal(err)
	}
	return j, template, layout
}

// solve returns a solution that meets the network's target, which the test
// must have made easy.
func solve(tb testing.TB, j *Job) Solution {
	tb.Helper()
	s := Solution{
		Extranonce: [ExtranonceSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		Version:    j.Version | 0x083ac000,
		Time:       j.Time + 1,
	}
	for range 100_000 {
		if j.Prove(s).Block {
			return s
		}
		s.Nonce++
	}
	tb.Fatal("no solution within 100000 nonces")
	return s
}
