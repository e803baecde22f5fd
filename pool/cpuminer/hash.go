package cpuminer

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

const (
	headerSize = 80
	blockSize  = sha256.BlockSize

	// A marshaled state of crypto/sha256 begins with 4 bytes of magic and the
	// 32 bytes of the state itself.
	stateStart = 4
	stateEnd   = stateStart + sha256.Size
)

// hasher computes the double SHA-256 of headers that differ in their nonce
// only. SHA-256 works on blocks of 64 bytes, so there are three of them, of
// which the first is hashed once per header:
//
//	block 1   header bytes 0 to 63
//	block 2   header bytes 64 to 79, padding      nonce at 12
//	block 3   hash of blocks 1 and 2, padding
type hasher struct {
	digest   digest
	midstate []byte // marshaled state after block 1
	tail     [blockSize]byte
	outer    [blockSize]byte
	scratch  []byte
}

// digest is what crypto/sha256 promises of its hash.
type digest interface {
	hash.Hash
	encoding.BinaryUnmarshaler
	encoding.BinaryAppender
}

func newHasher() *hasher {
	h := &hasher{
		digest:  sha256.New().(digest),
		scratch: make([]byte, 0, 256),
	}
	pad(&h.tail, headerSize-blockSize, headerSize)
	pad(&h.outer, sha256.Size, sha256.Size)
	return h
}

// pad completes a message's last block: a bit, and the length in bits.
func pad(block *[blockSize]byte, used, length int) {
	block[used] = 0x80
	binary.BigEndian.PutUint64(block[blockSize-8:], uint64(length)*8)
}

// start takes the header whose nonces are to be tried.
func (h *hasher) start(header *[headerSize]byte) {
	h.digest.Reset()
	h.write(header[:blockSize])
	h.midstate = h.state(h.midstate[:0])
	copy(h.tail[:], header[blockSize:])
}

// hash returns the hash of the header with this nonce, in header byte order. It
// is valid until the next call.
func (h *hasher) hash(nonce uint32) *[sha256.Size]byte {
	binary.LittleEndian.PutUint32(h.tail[12:], nonce)
	if err := h.digest.UnmarshalBinary(h.midstate); err != nil {
		panic(err) // cannot happen: the state is the digest's own
	}
	h.write(h.tail[:])
	copy(h.outer[:], h.state(h.scratch[:0])[stateStart:stateEnd])

	h.digest.Reset()
	h.write(h.outer[:])
	return (*[sha256.Size]byte)(h.state(h.scratch[:0])[stateStart:stateEnd])
}

func (h *hasher) write(block []byte) {
	_, _ = h.digest.Write(block) // never fails, says package hash
}

func (h *hasher) state(dst []byte) []byte {
	state, err := h.digest.AppendBinary(dst)
	if err != nil {
		panic(err) // cannot happen with an approved hash
	}
	return state
}
