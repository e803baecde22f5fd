package work

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Witness reads a job the way a node will read the block made of it, and
// returns the first thing that is not as the template and the layout want it.
// It shares no code with the builder: the coinbase is decoded by another
// library, the merkle trees are computed in full from all transactions, the
// target is expanded anew. Call it once for each new template, before the job
// is sent; WithID changes nothing that it looks at but the number.
func Witness(j *Job, t *Template, l Layout) error {
	coinbase, err := witnessCoinbase(j, t, l)
	if err != nil {
		return err
	}
	if err := witnessCommitment(t); err != nil {
		return fmt.Errorf("witness commitment: %w", err)
	}
	if err := witnessMerkleRoot(coinbase.TxHash(), j, t); err != nil {
		return fmt.Errorf("witness merkle root: %w", err)
	}
	return nil
}

// WitnessLayout is [Witness] for a job that [Job.With] made of a witnessed one.
// It reads the coinbase as thoroughly and leaves out the transactions, which are
// the same: branches that lead to the right root for one coinbase do for all.
func WitnessLayout(j, base *Job, l Layout) error {
	if !slices.Equal(j.Branches, base.Branches) || j.template != base.template || j.MinTime != base.MinTime || j.MaxTime != base.MaxTime {
		return errors.New("witness layout: the job was not made of the witnessed one")
	}
	unbound := *j
	unbound.MinTime = base.template.MinTime // it may have been raised since the witness saw it
	_, err := witnessCoinbase(&unbound, base.template, l)
	return err
}

// witnessCoinbase checks what belongs to a job alone: header fields and coinbase.
func witnessCoinbase(j *Job, t *Template, l Layout) (*wire.MsgTx, error) {
	// Bytes that occur nowhere else, in place of the miner's.
	extranonce := []byte("\xe1\xe2\xe3\xe4\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8")
	raw := bytes.Join([][]byte{j.Coinbase1, extranonce, j.Coinbase2}, nil)

	var coinbase wire.MsgTx
	r := bytes.NewReader(raw)
	if err := coinbase.DeserializeNoWitness(r); err != nil {
		return nil, fmt.Errorf("witness coinbase: %w", err)
	}
	if r.Len() != 0 {
		return nil, fmt.Errorf("witness coinbase: %d bytes after the end", r.Len())
	}

	for _, check := range []struct {
		name string
		err  error
	}{
		{"header fields", witnessHeader(j, t)},
		{"coinbase input", witnessInput(&coinbase, t, j.ID, l.Tag, extranonce)},
		{"coinbase outputs", witnessOutputs(&coinbase, t, l)},
	} {
		if check.err != nil {
			return nil, fmt.Errorf("witness %s: %w", check.name, check.err)
		}
	}
	return &coinbase, nil
}

// witnessHeader compares what goes into the header with the template.
func witnessHeader(j *Job, t *Template) error {
	switch {
	case j.Height != t.Height:
		return fmt.Errorf("height %d, want %d", j.Height, t.Height)
	case j.PrevHash != t.PrevHash:
		return fmt.Errorf("previous block %s, want %s", j.PrevHash, t.PrevHash)
	case j.Version|0x1fffe000 != t.Version|0x1fffe000 || j.Version&0x1fffe000 != 0:
		return fmt.Errorf("version %08x for %08x", j.Version, t.Version)
	case j.Bits != t.Bits:
		return fmt.Errorf("bits %08x, want %08x", j.Bits, t.Bits)
	case j.MinTime != t.MinTime || j.Time < t.MinTime:
		return fmt.Errorf("time %d from %d, want from %d", j.Time, j.MinTime, t.MinTime)
	case j.Value != t.CoinbaseValue:
		return fmt.Errorf("value %d, want %d", j.Value, t.CoinbaseValue)
	}

	// mantissa · 256^size / 256^3, rounded down
	want := big.NewInt(int64(t.Bits & 0xffffff))
	want.Lsh(want, uint(8*(t.Bits>>24))).Rsh(want, 24)
	if got := new(big.Int).SetBytes(j.Target[:]); got.Cmp(want) != 0 {
		return fmt.Errorf("target %x, want %x", got, want)
	}
	return nil
}

// witnessInput checks all of the coinbase but its outputs.
func witnessInput(tx *wire.MsgTx, t *Template, id uint32, tag string, extranonce []byte) error {
	if len(tx.TxIn) != 1 {
		return fmt.Errorf("%d inputs", len(tx.TxIn))
	}
	in := tx.TxIn[0]
	switch {
	case tx.Version != 2:
		return fmt.Errorf("version %d", tx.Version)
	case in.PreviousOutPoint != *wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex):
		return fmt.Errorf("spends %s", in.PreviousOutPoint)
	case in.Sequence == wire.MaxTxInSequenceNum:
		return errors.New("sequence is final, the lock time does not count")
	case int64(tx.LockTime) != int64(t.Height)-1:
		return fmt.Errorf("lock time %d at height %d", tx.LockTime, t.Height)
	case len(in.SignatureScript) < 2 || len(in.SignatureScript) > 100:
		return fmt.Errorf("script of %d bytes", len(in.SignatureScript))
	}

	height, rest, err := readNumber(in.SignatureScript)
	if err != nil {
		return fmt.Errorf("height: %w", err)
	}
	if height != int64(t.Height) {
		return fmt.Errorf("height %d, want %d", height, t.Height)
	}
	if tag != "" {
		var got []byte
		if got, rest, err = readPush(rest); err != nil || string(got) != tag {
			return fmt.Errorf("tag %q, want %q", got, tag)
		}
	}
	got, rest, err := readPush(rest)
	if err != nil || len(rest) != 0 {
		return fmt.Errorf("no single push at the end, but %x", rest)
	}
	if want := fmt.Sprintf("%08x%x", id, extranonce); fmt.Sprintf("%x", got) != want {
		return fmt.Errorf("pushes %x, want %s", got, want)
	}
	return nil
}

// readPush splits a script after its first push of 1 to 75 bytes.
func readPush(script []byte) (data, rest []byte, err error) {
	if len(script) == 0 || script[0] == 0 || script[0] > 75 || len(script) <= int(script[0]) {
		return nil, script, errors.New("not a direct push")
	}
	n := 1 + int(script[0])
	return script[1:n], script[n:], nil
}

// readNumber splits a script after the number that it starts with, which must
// be positive and in its shortest form.
func readNumber(script []byte) (n int64, rest []byte, err error) {
	if op := script[0]; op >= 0x51 && op <= 0x60 {
		return int64(op) - 0x50, script[1:], nil
	}
	data, rest, err := readPush(script)
	if err != nil {
		return 0, nil, err
	}
	if len(data) > 4 {
		return 0, nil, fmt.Errorf("a number of %d bytes", len(data))
	}
	last := len(data) - 1
	if data[last]&0x80 != 0 {
		return 0, nil, errors.New("negative")
	}
	if data[last] == 0 && (last == 0 || data[last-1]&0x80 == 0) {
		return 0, nil, errors.New("not in its shortest form")
	}
	for i := last; i >= 0; i-- {
		n = n<<8 | int64(data[i])
	}
	if n <= 16 {
		return 0, nil, errors.New("not in its shortest form")
	}
	return n, rest, nil
}

// witnessOutputs checks that the coinbase pays whom it should, all of it, and
// ends with the commitment.
func witnessOutputs(tx *wire.MsgTx, t *Template, l Layout) error {
	want := len(l.Outputs)
	if t.WitnessCommitment != nil {
		want++
	}
	if len(tx.TxOut) != want {
		return fmt.Errorf("%d outputs, want %d", len(tx.TxOut), want)
	}

	var sum int64
	for i, out := range tx.TxOut {
		sum += out.Value
		if out.Value < 0 || sum < 0 {
			return fmt.Errorf("output %d has value %d", i, out.Value)
		}
		if i == len(l.Outputs) {
			if out.Value != 0 || !bytes.Equal(out.PkScript, t.WitnessCommitment) {
				return fmt.Errorf("the last output is no commitment, but %x", out.PkScript)
			}
			break
		}
		if o := l.Outputs[i]; out.Value != o.Value || !bytes.Equal(out.PkScript, o.Script) {
			return fmt.Errorf("output %d pays %d to %x, want %d to %x", i, out.Value, out.PkScript, o.Value, o.Script)
		}
	}
	if sum != t.CoinbaseValue {
		return fmt.Errorf("outputs sum to %d, want %d", sum, t.CoinbaseValue)
	}
	return nil
}

// witnessCommitment recomputes BIP141's commitment from all witness hashes,
// with zero for the coinbase and a reserved value of zero.
func witnessCommitment(t *Template) error {
	leaves := make([]chainhash.Hash, 1, 1+len(t.Txs))
	needed := false
	for i := range t.Txs {
		leaves = append(leaves, t.Txs[i].WTxID)
		needed = needed || t.Txs[i].WTxID != t.Txs[i].TxID
	}
	if t.WitnessCommitment == nil {
		if needed {
			return errors.New("transactions have witnesses, but there is none")
		}
		return nil
	}

	root := treeRoot(leaves)
	sum := chainhash.DoubleHashB(append(root[:], make([]byte, 32)...))
	if want := append([]byte{0x6a, 36, 0xaa, 0x21, 0xa9, 0xed}, sum...); !bytes.Equal(t.WitnessCommitment, want) {
		return fmt.Errorf("script %x, want %x", t.WitnessCommitment, want)
	}
	return nil
}

// witnessMerkleRoot compares the root that miners reach over the branches with
// that of the whole tree.
func witnessMerkleRoot(coinbase chainhash.Hash, j *Job, t *Template) error {
	leaves := []chainhash.Hash{coinbase}
	for i := range t.Txs {
		leaves = append(leaves, t.Txs[i].TxID)
	}
	want := treeRoot(leaves)

	got := coinbase
	for _, b := range j.Branches {
		got = chainhash.DoubleHashH(append(got[:], b[:]...))
	}
	if got != want {
		return fmt.Errorf("branches lead to %s, transactions to %s", got, want)
	}
	return nil
}

// treeRoot computes a merkle root as the protocol defines it: level by level,
// the last node of an odd level paired with itself.
func treeRoot(level []chainhash.Hash) chainhash.Hash {
	if len(level) == 1 {
		return level[0]
	}
	parents := make([]chainhash.Hash, 0, (len(level)+1)/2)
	var both [2 * chainhash.HashSize]byte
	for i := 0; i < len(level); i += 2 {
		copy(both[:], level[i][:])
		copy(both[chainhash.HashSize:], level[min(i+1, len(level)-1)][:])
		parents = append(parents, chainhash.DoubleHashH(both[:]))
	}
	return treeRoot(parents)
}
