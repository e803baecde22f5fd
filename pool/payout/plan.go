package payout

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Input is a coin that a payout spends.
type Input struct {
	OutPoint wire.OutPoint
	Amount   int64  // satoshis
	Script   []byte // scriptPubKey of the coin
}

// Plan is the transaction that an approval is asked for, complete but unsigned.
// All its inputs are segwit, so TxID is already the id of the signed transaction.
type Plan struct {
	Payout, Rev  int64 // the payout, and its revision for which the plan was made
	Purpose      Purpose
	FeePolicy    FeePolicy
	Items        []Item
	Inputs       []Input
	ChangeScript []byte // nil when nothing is left over
	Change       int64  // satoshis
	Fee, FeeCap  int64  // satoshis
	TxID         chainhash.Hash
}

// Digest is what an approval is bound to: SHA-256 over all that the plan pays,
// spends and allows. It does not depend on the order of items and inputs, and no
// two different plans share one.
func (p Plan) Digest() [sha256.Size]byte {
	items := slices.SortedFunc(slices.Values(p.Items), func(a, b Item) int {
		return cmp.Or(bytes.Compare(a.Script, b.Script), cmp.Compare(a.Amount, b.Amount))
	})
	inputs := slices.SortedFunc(slices.Values(p.Inputs), func(a, b Input) int {
		return compareOutPoints(a.OutPoint, b.OutPoint)
	})

	// Every field has a fixed length or is preceded by its length, so the
	// bytes can be read back in one way only. Only a plan in which the miners
	// bear the fee has shares of it, and says so in its first line, as does one
	// that pays no miner.
	buf := []byte("dmpool payout plan 1\n")
	switch {
	case p.Purpose == PurposeSweep:
		buf = []byte("dmpool payout plan 3, the pool's own to the cold address\n")
	case p.FeePolicy == FeeMiners:
		buf = []byte("dmpool payout plan 2, miners bear the fee\n")
	}
	number := func(n int64) { buf = binary.BigEndian.AppendUint64(buf, uint64(n)) }
	script := func(s []byte) {
		number(int64(len(s)))
		buf = append(buf, s...)
	}

	number(p.Payout)
	number(p.Rev)
	number(int64(len(items)))
	for _, i := range items {
		script(i.Script)
		number(i.Amount)
		if p.FeePolicy == FeeMiners {
			number(i.FeeShare)
		}
	}
	number(int64(len(inputs)))
	for _, in := range inputs {
		buf = append(buf, in.OutPoint.Hash[:]...)
		number(int64(in.OutPoint.Index))
		number(in.Amount)
	}
	script(p.ChangeScript)
	number(p.Change)
	number(p.Fee)
	number(p.FeeCap)
	buf = append(buf, p.TxID[:]...)

	return sha256.Sum256(buf)
}

// compareOutPoints orders coins by transaction and index.
func compareOutPoints(a, b wire.OutPoint) int {
	return cmp.Or(bytes.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Index, b.Index))
}
