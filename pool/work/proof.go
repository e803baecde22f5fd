package work

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	headerSize    = 80
	witnessMarker = "\x00\x01" // BIP144 marker and flag
)

// Solution is what a miner chose for a job.
type Solution struct {
	Extranonce [ExtranonceSize]byte // extranonce1, then extranonce2
	Version    uint32               // the complete header version
	Time       uint32               // unix seconds
	Nonce      uint32
}

// Proof is the header that a solution makes, and its hash.
type Proof struct {
	Header [headerSize]byte
	Hash   chainhash.Hash
	Block  bool // the hash meets the network's target
}

// Prove hashes a solution. It decides nothing but whether the solution is a
// block, which the caller must see to before anything else. It allocates
// nothing as long as the coinbase has no more than 512 bytes, and may be called
// by any number of goroutines.
//
//	header   0 version, 4 previous block, 36 merkle root,
//	        68 time, 72 bits, 76 nonce (all integers little-endian)
func (j *Job) Prove(s Solution) Proof {
	root := MerkleRoot(j.CoinbaseTxID(s.Extranonce), j.Branches)

	var p Proof
	binary.LittleEndian.PutUint32(p.Header[0:], s.Version)
	copy(p.Header[4:], j.PrevHash[:])
	copy(p.Header[36:], root[:])
	binary.LittleEndian.PutUint32(p.Header[68:], s.Time)
	binary.LittleEndian.PutUint32(p.Header[72:], j.Bits)
	binary.LittleEndian.PutUint32(p.Header[76:], s.Nonce)
	p.Hash = doubleHash(p.Header[:])
	p.Block = j.Target.Meets(p.Hash)
	return p
}

// CoinbaseTxID returns the txid of the coinbase with the given extranonce, the
// one by which the wallet will know it.
func (j *Job) CoinbaseTxID(extranonce [ExtranonceSize]byte) chainhash.Hash {
	var room [512]byte
	tx := append(room[:0], j.Coinbase1...)
	tx = append(tx, extranonce[:]...)
	tx = append(tx, j.Coinbase2...)
	return doubleHash(tx)
}

// Block returns the complete block of a solution, ready for submitblock. Its
// coinbase has a witness if the template asked for a commitment (BIP141).
//
//	header (80) | count | coinbase | transactions of the template in order
func (j *Job) Block(s Solution) (raw []byte) {
	p := j.Prove(s)
	size := headerSize + 64 + len(j.Coinbase1) + ExtranonceSize + len(j.Coinbase2)
	for i := range j.template.Txs {
		size += len(j.template.Txs[i].Raw)
	}

	raw = append(make([]byte, 0, size), p.Header[:]...)
	raw = appendCompactSize(raw, 1+len(j.template.Txs))
	raw = j.appendCoinbase(raw, s.Extranonce)
	for i := range j.template.Txs {
		raw = append(raw, j.template.Txs[i].Raw...)
	}
	return raw
}

// appendCoinbase appends the coinbase as it stands in a block. A witness goes
// into two places (BIP144): marker and flag after the version, the stack before
// the lock time.
func (j *Job) appendCoinbase(raw []byte, extranonce [ExtranonceSize]byte) []byte {
	const versionSize = 4
	hasWitness := j.template.WitnessCommitment != nil
	end := len(j.Coinbase2) - lockTimeSize

	raw = append(raw, j.Coinbase1[:versionSize]...)
	if hasWitness {
		raw = append(raw, witnessMarker...)
	}
	raw = append(raw, j.Coinbase1[versionSize:]...)
	raw = append(raw, extranonce[:]...)
	raw = append(raw, j.Coinbase2[:end]...)
	if hasWitness {
		raw = append(raw, witnessStack()...)
	}
	return append(raw, j.Coinbase2[end:]...)
}

// witnessStack returns the coinbase's witness: one element, the reserved value
// of BIP141, which is 32 zero bytes.
func witnessStack() []byte {
	return append([]byte{1, chainhash.HashSize}, make([]byte, chainhash.HashSize)...)
}
