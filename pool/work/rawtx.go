package work

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// txReader walks over serialized transactions (BIP144) without decoding them:
//
//	version 4 | marker 00, flag 01 | inputs | outputs | witnesses | lock time 4
//	            └─ with witness ─┘                      └ ditto ┘
//
// The hash of all that is the WTxID; the TxID leaves out what only transactions
// with a witness have.
type txReader struct {
	raw   []byte
	at    int
	short bool // raw ended before it should, or a length was not in its shortest form

	stripped []byte // space for the transaction without its witness
}

// read returns the hashes and the weight of a transaction. It accepts exactly
// what a node writes: one serialization for each transaction.
func (r *txReader) read(raw []byte) (Tx, error) {
	r.raw, r.at, r.short = raw, 0, false
	r.skip(4)
	marked := len(raw) > 5 && raw[4] == 0
	if marked && raw[5] != 1 {
		return Tx{}, fmt.Errorf("flag %02x is unknown", raw[5])
	}
	if marked {
		r.skip(2)
	}

	body := r.at
	inputs := r.count()
	for range inputs {
		r.skip(chainhash.HashSize + 4)
		r.skip(r.count())
		r.skip(4)
	}
	for range r.count() {
		r.skip(8)
		r.skip(r.count())
	}
	bodyEnd := r.at

	witness := false
	if marked {
		for range inputs {
			items := r.count()
			witness = witness || items > 0
			for range items {
				r.skip(r.count())
			}
		}
	}
	r.skip(4)
	switch {
	case r.short:
		return Tx{}, errors.New("not a transaction, or cut off")
	case r.at != len(raw):
		return Tx{}, fmt.Errorf("%d bytes after the end", len(raw)-r.at)
	case !marked && inputs == 0:
		return Tx{}, errors.New("no inputs")
	case marked && !witness:
		return Tx{}, errors.New("marked as having a witness, but has none")
	}

	tx := Tx{Raw: raw, WTxID: doubleHash(raw)}
	r.stripped = append(r.stripped[:0], raw[:4]...)
	r.stripped = append(r.stripped, raw[body:bodyEnd]...)
	r.stripped = append(r.stripped, raw[len(raw)-4:]...)
	tx.TxID = tx.WTxID
	if marked {
		tx.TxID = doubleHash(r.stripped)
	}
	tx.Weight = int64(3*len(r.stripped) + len(raw))
	return tx, nil
}

// skip steps over n bytes.
func (r *txReader) skip(n int) {
	if r.short || n > len(r.raw)-r.at {
		r.short = true
		return
	}
	r.at += n
}

// count reads a compact size in its shortest form: how many bytes or things
// follow. Each has at least one byte, so there cannot be more than bytes left.
func (r *txReader) count() int {
	at := r.at
	r.skip(1)
	if r.short {
		return 0
	}
	n, size, least := uint64(r.raw[at]), 0, uint64(0)
	switch n {
	case 0xfd:
		size, least = 2, 0xfd
	case 0xfe:
		size, least = 4, 1<<16
	case 0xff:
		size, least = 8, 1<<32
	}
	if size > 0 {
		r.skip(size)
		if r.short {
			return 0
		}
		var wide [8]byte
		copy(wide[:], r.raw[at+1:r.at])
		n = binary.LittleEndian.Uint64(wide[:])
	}
	if n < least || n > uint64(len(r.raw)-r.at) {
		r.short = true
		return 0
	}
	return int(n)
}
