package work

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Sizes of the part of the coinbase that belongs to the miner. Four and eight
// are what every known firmware, proxy and rental service can work with.
const (
	Extranonce1Size = 4 // chosen by the pool, one per session
	Extranonce2Size = 8 // rolled by the miner
	ExtranonceSize  = Extranonce1Size + Extranonce2Size
)

// MaxTag is the longest tag in bytes that one direct push can carry.
const MaxTag = 75

const (
	lockTimeSize    = 4 // the last bytes of a transaction
	counterSize     = 4 // the job's number, in front of the extranonce
	coinbaseVersion = 2
	maxScriptSize   = 10_000

	// coinbaseSequence reads ff ff ff fe in the transaction. BIP54 wants
	// anything but 0xffffffff, which makes the lock time count; with its
	// highest bit set it is no relative lock (BIP68).
	coinbaseSequence = 0xfeffffff
)

// Output is one output of the coinbase.
type Output struct {
	Script []byte
	Value  int64 // satoshis
}

// Layout is what the pool puts into the coinbase: a tag of at most MaxTag
// bytes that names it in the chain, and the outputs in order. Their values
// must sum to the template's CoinbaseValue exactly.
type Layout struct {
	Tag     string
	Outputs []Output

	// Note says in the caller's own words why the layout is as it is, such as the
	// terms by which it pays. It stays with the job; nothing here looks at it.
	Note []byte
}

// check refuses a layout that a block with this template must not have.
func (l Layout) check(t *Template) error {
	if len(l.Tag) > MaxTag {
		return fmt.Errorf("tag has %d bytes, at most %d fit", len(l.Tag), MaxTag)
	}
	if len(l.Outputs) == 0 {
		return errors.New("no output")
	}
	rest := t.CoinbaseValue
	for i, o := range l.Outputs {
		if len(o.Script) == 0 || len(o.Script) > maxScriptSize {
			return fmt.Errorf("output %d: script has %d bytes", i, len(o.Script))
		}
		if o.Value < 0 || o.Value > rest {
			return fmt.Errorf("output %d: value %d does not fit into %d", i, o.Value, t.CoinbaseValue)
		}
		rest -= o.Value
	}
	if rest != 0 {
		return fmt.Errorf("outputs leave %d of %d unspent", rest, t.CoinbaseValue)
	}
	return nil
}

// coinbaseParts builds the coinbase without witness, as hashed for its txid,
// and cuts it where the extranonce goes:
//
//	prefix  version      02 00 00 00
//	        inputs       01, spending 32 zero bytes : ffffffff
//	        scriptSig    length
//	                     height      BIP34, see HeightPush
//	                     tag         push of 1 to 75 bytes, absent when empty
//	                     10          push of 16 bytes:
//	                     counter     4, big-endian, the job's number
//	                     extranonce  12, not in the prefix
//	suffix  sequence     ff ff ff fe
//	        outputs      the layout's, then the witness commitment with value 0
//	        lock time    height − 1 (BIP54)
//
// A job's number never repeats, so no two jobs make a miner hash the same
// bytes even if all else is equal and the miner restarts its extranonce.
func coinbaseParts(t *Template, l Layout, counter uint32) (prefix, suffix []byte) {
	script := HeightPush(t.Height)
	if l.Tag != "" {
		script = append(script, byte(len(l.Tag)))
		script = append(script, l.Tag...)
	}
	script = append(script, counterSize+ExtranonceSize)
	script = binary.BigEndian.AppendUint32(script, counter)

	prefix = binary.LittleEndian.AppendUint32(nil, coinbaseVersion)
	prefix = append(prefix, 1)
	prefix = append(prefix, make([]byte, chainhash.HashSize)...)
	prefix = binary.LittleEndian.AppendUint32(prefix, 0xffffffff)
	prefix = append(prefix, byte(len(script)+ExtranonceSize))
	prefix = append(prefix, script...)

	outputs := l.Outputs
	if t.WitnessCommitment != nil {
		outputs = append(outputs[:len(outputs):len(outputs)], Output{Script: t.WitnessCommitment})
	}
	suffix = binary.LittleEndian.AppendUint32(nil, coinbaseSequence)
	suffix = appendCompactSize(suffix, len(outputs))
	for _, o := range outputs {
		suffix = binary.LittleEndian.AppendUint64(suffix, uint64(o.Value))
		suffix = appendCompactSize(suffix, len(o.Script))
		suffix = append(suffix, o.Script...)
	}
	suffix = binary.LittleEndian.AppendUint32(suffix, uint32(t.Height-1))
	return prefix, suffix
}

// HeightPush returns the script that starts every coinbase (BIP34): the height
// as a minimally encoded number, which is OP_1 to OP_16 up to sixteen and a
// push of one to four little-endian bytes after that. Heights are not
// negative; a negative one is a programmer's error and panics.
func HeightPush(height int32) []byte {
	switch {
	case height < 0:
		panic("work: negative height")
	case height == 0:
		return []byte{0}
	case height <= 16:
		return []byte{0x50 + byte(height)}
	}
	push := []byte{0}
	for rest := height; rest > 0; rest >>= 8 {
		push = append(push, byte(rest))
	}
	if push[len(push)-1]&0x80 != 0 {
		push = append(push, 0) // the highest bit would be the sign
	}
	push[0] = byte(len(push) - 1)
	return push
}

// appendCompactSize appends a count in Bitcoin's variable-length form. No
// count here exceeds 32 bits.
func appendCompactSize(b []byte, n int) []byte {
	switch {
	case n < 0xfd:
		return append(b, byte(n))
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
	default:
		return binary.LittleEndian.AppendUint32(append(b, 0xfe), uint32(n))
	}
}
