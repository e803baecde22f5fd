package nodetest_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/work"
)

func reader(raw []byte) io.Reader {
	return bytes.NewReader(raw)
}

func serialize(t *testing.T, m interface{ Serialize(io.Writer) error }) []byte {
	t.Helper()

	var raw bytes.Buffer
	if err := m.Serialize(&raw); err != nil {
		t.Fatal(err)
	}

	return raw.Bytes()
}

// remine gives a changed block of two transactions its merkle root and proof of work.
func remine(t *testing.T, m *wire.MsgBlock) []byte {
	t.Helper()

	left, right := m.Transactions[0].TxHash(), m.Transactions[1].TxHash()
	m.Header.MerkleRoot = chainhash.DoubleHashH(append(left[:], right[:]...))
	target, err := work.TargetFromBits(m.Header.Bits)
	if err != nil {
		t.Fatal(err)
	}
	for !target.Meets(m.BlockHash()) {
		m.Header.Nonce++
	}

	return serialize(t, m)
}
